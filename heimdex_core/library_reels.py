"""The part of Library that is about reels: planning, rendering, exports and the tray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from heimdex_core import intake
from heimdex_core.door import Door, OnProgress
from heimdex_core.errors import HeimdexError
from heimdex_core.types import Export, ExportState, Reel, ReelClip, StageProgress


class ReelDoor(Door):
    """What Library offers for reels."""

    def reel(
        self,
        clips: Sequence[ReelClip | str],
        *,
        title: str = "",
        out: str | Path | None = None,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Export:
        """Make one MP4 of clips or scene ids, in their order; `out` also gets a copy of the file.

        Raises InvalidReel, SceneNotFound, RenderFailed, RenderCheckFailed, RenderTimeout, DiskFull.
        """
        from heimdex_core.export.plan import new_export, plan_reel

        self.reader.refresh()
        plan = plan_reel(self.reader, self.user_id, clips, title=title, settings=self.settings)
        export = self.store.create_export(new_export(plan, self.user_id, self.settings))
        if queue:
            try:
                job_id = self._queue().enqueue_reel(export.export_id)
            except HeimdexError as error:
                # Nobody would ever render it: it must not wait as pending.
                self.store.update_export(export.export_id, state=ExportState.FAILED, error=error.to_dict())
                raise
            return self.store.update_export(export.export_id, job_id=job_id)
        export = self.render_export(export.export_id, progress=progress)
        if out is not None:
            self._copy_out(export, Path(out).expanduser())
        return export

    def render_export(
        self, export_id: str, *, progress: OnProgress | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> Export:
        """Render a pending export in this process."""
        from heimdex_core.export.progress import export_context
        from heimdex_core.export.reel import render

        export = self.store.export(self.user_id, export_id)
        marker = self._cancel_marker(export_id)
        context = export_context(self.store.paths, export, progress, is_cancelled or marker.exists)
        return render(self.store, export, settings=self.settings, context=context)

    def _copy_out(self, export: Export, out: Path) -> None:
        path = self.export_path(export)
        copied = intake.copy_in(path, out.parent, what=out.name)
        copied.path.replace(out)

    def export(self, export_id: str) -> Export:
        return self.store.export(self.user_id, export_id)

    def exports(self, limit: int | None = None) -> list[Export]:
        """The person's exports, newest first, those too whose file is gone."""
        return self.store.exports(self.user_id, limit=limit)

    def export_path(self, export: Export) -> Path:
        """The rendered file; ExportNotFound when it has expired."""
        return self.store.export_path(export)

    def export_progress(self, export_id: str) -> StageProgress | None:
        from heimdex_core.export.progress import read_export_progress

        return read_export_progress(self.store.paths, export_id)

    def cancel_export(self, export_id: str) -> None:
        """Ask a render to stop."""
        export = self.export(export_id)
        marker = self._cancel_marker(export_id)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        if export.job_id and self.queue is not None:
            self.queue.cancel(export.job_id)

    def tray(self) -> Reel:
        """The scenes picked so far; they survive searches, pages and restarts."""
        return self.store.tray(self.user_id)

    def save_tray(self, clips: Sequence[ReelClip], *, title: str = "") -> Reel:
        """Keep the tray as it is now; a clip of the same scene is kept once."""
        unique = {clip.scene_id: clip for clip in reversed(clips)}
        ordered = [clip for clip in clips if unique.get(clip.scene_id) is clip]
        return self.store.save_tray(self.user_id, title, ordered)
