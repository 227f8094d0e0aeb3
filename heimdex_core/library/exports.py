"""Exports of a library: rendering, where a render stands, and the rendered files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path

from heimdex_core.errors import Cancelled, ExportNotFound, HeimdexError
from heimdex_core.export import export_kind
from heimdex_core.export.clips import find_video
from heimdex_core.export.interrupted import batch_lock, end_export, end_interrupted, render_lock
from heimdex_core.export.plan import plan_export, spoken_language
from heimdex_core.export.progress import export_context, forget_export_progress, read_export_progress
from heimdex_core.export.reel_plan import check_names, with_texts
from heimdex_core.export.render import render
from heimdex_core.library.arguments import After, Count, checked
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.library.importing import copy_and_hash
from heimdex_core.store.exports import UNFINISHED
from heimdex_core.types import Export, ReelClip, ReelOptions, StageProgress, utc_now


class Exports:
    """What one person has rendered. Safe to share between threads."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._records = context.store.exports

    def make_reel(
        self,
        clips: Sequence[ReelClip | str],
        *,
        title: str,
        options: ReelOptions,
        out: str | Path | None,
        skip_failed: bool,
        queue: bool,
        progress: OnProgress | None,
    ) -> Export:
        """Plan and render a reel; see Library.reel."""
        context = self._context
        check_names(options)
        reader = context.store.reader()
        planned = plan_export(
            reader.view(),
            context.user_id,
            clips,
            kind=export_kind("reel"),
            title=title,
            settings=context.settings,
            find_video=lambda video_id: find_video(context.store, context.user_id, video_id),
            skip_failed=skip_failed,
            params=options.params,
        )
        words = cache(lambda video_id: reader.ask(lambda view: view.words(context.user_id, video_id)))

        def language(clip: ReelClip) -> str | None:
            video = context.store.video(context.user_id, clip.video_id)
            return reader.ask(lambda view: spoken_language(view, video, clip.scene_id))

        export = self._records.create(with_texts(planned, options, words, language))
        return self.start(export, out=out, queue=queue, progress=progress)

    def start(self, export: Export, *, out: str | Path | None, queue: bool, progress: OnProgress | None) -> Export:
        """Render a new export here, or leave that to the worker with `queue`; `out` is where its file is copied to."""
        try:
            if queue:
                job_id = self._context.require_queue().enqueue_reel(export.export_id)
                return self._records.update(export.export_id, job_id=job_id)
            export = self.render(export.export_id, progress=progress)
        except HeimdexError as error:
            # Nobody would ever render it: it must not wait as pending.
            with suppress(HeimdexError):  # nor may the error be another one
                end_export(self._context.store, export.user_id, export.export_id, error)
            raise
        if out is not None:
            target = Path(out).expanduser()
            copy, _ = copy_and_hash(self.file(export), target.parent, what=target.name)
            copy.replace(target)
        return export

    def start_all(self, exports: Sequence[Export], *, queue: bool) -> list[Export]:
        """Render new exports that were created together; without `queue` here, whether or not others of them fail."""
        found, store = [], self._context.store
        with nullcontext() if queue or not exports else batch_lock(store.paths, exports[0]).hold():
            for number, export in enumerate(exports, 1):
                try:
                    found.append(self.start(export, out=None, queue=queue, progress=None))
                except BaseException as error:
                    failed = error if isinstance(error, HeimdexError) else Cancelled()
                    if isinstance(error, HeimdexError) and not queue:
                        found.append(self._records.get(export.user_id, export.export_id))
                        continue
                    for other in exports[number:]:  # nobody would ever render them
                        end_export(store, other.user_id, other.export_id, failed)
                    raise
        return found

    @checked
    def without_failed(self, export_id: str, *, queue: bool = False, progress: OnProgress | None = None) -> Export:
        """Render the clips of a failed export again, without those that cannot be rendered."""
        failed = self.get(export_id)
        return self.make_reel(
            failed.clips,
            title=failed.title,
            options=ReelOptions.from_params(failed.params),
            out=None,
            skip_failed=True,
            queue=queue,
            progress=progress,
        )

    @checked
    def render(
        self, export_id: str, *, progress: OnProgress | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> Export:
        """Render a pending export in this process.

        Raises ClipsFailed, RenderFailed, RenderCheckFailed, RenderTimeout, DiskFull, Cancelled; the record then has
        the error.
        """
        store = self._context.store
        is_cancelled = is_cancelled or store.cancel_marks.asked(export_id)
        # held while it is rendered, so that others can tell whether somebody still works on it
        user_id = self._context.user_id
        with render_lock(store.paths, self._records.get(user_id, export_id).export_id).hold():
            export = self._records.get(user_id, export_id)
            work = export_context(store, export, progress, is_cancelled)
            try:
                return render(store, export, settings=self._context.settings, context=work)
            finally:
                forget_export_progress(store, export_id)

    @checked
    def get(self, export_id: str) -> Export:
        """One export; if its rendering was killed, it is ended, as in `list`. Raises ExportNotFound."""
        found = self._records.get(self._context.user_id, export_id)
        return self._records.get(found.user_id, export_id) if self._ended([found]) else found

    @checked
    def list(
        self, limit: Count | None = None, *, after: After | None = None, timeout_s: float | None = None
    ) -> list[Export]:
        """The person's exports, newest first, also those whose file has gone.

        Those whose rendering was killed are ended with RENDER_INTERRUPTED. `after` is (created_at, export_id) of the
        one that the next page comes behind. `timeout_s` is how long another process that uses the catalog is awaited;
        None is HEIMDEX_LOCK_TIMEOUT_S.
        """
        found = self._records.of_user(self._context.user_id, limit, after=after, timeout_s=timeout_s)
        if not self._ended(found):
            return found
        return self._records.of_user(self._context.user_id, limit, after=after, timeout_s=timeout_s)

    def end_interrupted(self) -> int:
        """End those of the person's exports whose rendering was killed; how many there were."""
        return end_interrupted(self._context.store, self._context.user_id)

    def _ended(self, exports: Sequence[Export]) -> bool:
        """End what was killed if some of these exports may be among it; whether there was anything."""
        if not any(export.state in UNFINISHED and export.job_id is None for export in exports):
            return False
        return self.end_interrupted() > 0

    @checked
    def file(self, export: Export, *, fetch: bool = True) -> Path:
        """The rendered file; ExportExpired when it has expired, ExportNotFound when it is another person's.

        Without `fetch` the file of a library in object storage need not be on this machine.
        """
        if export.user_id != self._context.user_id:
            raise ExportNotFound(export_id=export.export_id)
        return self._records.file(export, fetch=fetch)

    @checked
    def keep(self, export_id: str, *, keep: bool = True) -> Export:
        """Keep the file of an export until further notice, or let it expire again after HEIMDEX_EXPORT_TTL_S.

        Raises ExportExpired if the file has expired already, ExportNotFound if it is not this person's.
        """
        expires_at = None if keep else utc_now() + timedelta(seconds=self._context.settings.export_ttl_s)
        return self._records.set_expiry(self._context.user_id, export_id, expires_at)

    @checked
    def progress(self, export_id: str) -> StageProgress | None:
        """Where a render stands; None while nothing runs. ExportNotFound if it is not this person's."""
        return read_export_progress(self._context.store, self.get(export_id).export_id)

    @checked
    def remove(self, export_id: str) -> Export:
        """Remove the file of an export now; its record stays. One that is not finished is cancelled."""
        if self.get(export_id).state in UNFINISHED:
            self.cancel(export_id)
        return self._records.remove_file(self._context.user_id, export_id, utc_now())

    @checked
    def cancel(self, export_id: str) -> None:
        """Stop a render; the export becomes cancelled."""
        user_id, job_id, store = self._context.user_id, self.get(export_id).job_id, self._context.store
        self._context.cancel([(export_id, job_id)], lambda: end_export(store, user_id, export_id, Cancelled()))
