"""Shorts: one scene each, in a 9:16 frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from heimdex_core.errors import InvalidValue
from heimdex_core.export.captions import make_cues, spoken_words
from heimdex_core.export.crop import framing_of
from heimdex_core.export.crop.files import read_crop_path
from heimdex_core.export.plan import spoken_language
from heimdex_core.export.short import HEIGHT, KIND, WIDTH, crop_path_of
from heimdex_core.export.short_plan import plan_short
from heimdex_core.export.source import require_source
from heimdex_core.library.arguments import AnyPath, checked
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.library.exports import Exports
from heimdex_core.media.render import RenderClip
from heimdex_core.media.short import render_frame
from heimdex_core.models.faces.yunet import model_file
from heimdex_core.store.exports import WINDOW
from heimdex_core.types import (
    Cue,
    Export,
    ReportProgress,
    Scene,
    ShortAllowance,
    ShortRequest,
    Video,
    Word,
    WorkContext,
    utc_now,
)
from heimdex_core.types.crop import CropPath

_PREVIEW_SIZE = (WIDTH // 4, HEIGHT // 4)
_PREVIEW_TIMEOUT_S = 20.0


class Shorts:
    """The shorts of one person. Safe to share between threads."""

    def __init__(self, context: LibraryContext, exports: Exports) -> None:
        self._context = context
        self._exports = exports

    def make(
        self, request: ShortRequest, *, out: str | Path | None, queue: bool, progress: OnProgress | None
    ) -> Export:
        """Plan and render one short; see Library.short."""
        [export] = self._planned([request], queue=queue)
        return self._exports.start(export, out=out, queue=queue, progress=progress)

    @checked
    def make_all(self, requests: Sequence[ShortRequest], *, queue: bool = True) -> list[Export]:
        """Make several shorts, or none: the batch is refused whole if one cannot be planned or not all are allowed.

        Without `queue` they are rendered here, one after the other; one that fails is recorded and does not stop the
        others. Raises ExportLimitExceeded, which says how many would be possible, and what `Library.short` raises
        before it renders.
        """
        return self._exports.start_all(self._planned(requests, queue=queue), queue=queue)

    @checked
    def allowance(self) -> ShortAllowance:
        """How many shorts the person may still make."""
        now = utc_now()
        self._exports.end_interrupted()
        counted = self._context.store.exports.counted(self._context.user_id, KIND.name, now)
        limit = self._context.settings.short_daily_limit
        return ShortAllowance(
            limit=limit,
            used=len(counted),
            remaining=max(0, limit - len(counted)) if limit else None,
            resets_at=counted[0] + WINDOW if counted else None,
        )

    @checked
    def cues(self, scene_id: str, start_s: float, end_s: float) -> tuple[Cue, ...]:
        """Captions for [start_s, end_s) of a scene's video, from its transcript as it is corrected now."""
        scene = self._scene(scene_id)
        language = spoken_language(self._context.store.reader().view(), self._video(scene), scene.scene_id)
        words = self._words(scene.video_id, start_s, end_s)
        return make_cues(words, start_s=start_s, end_s=end_s, language=language)

    @checked
    def plan_crop(
        self,
        scene_id: str,
        start_s: float,
        end_s: float,
        *,
        progress: ReportProgress | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> CropPath:
        """Where smart_crop crops in [start_s, end_s) of a scene's video; it takes about as long as decoding that.

        Args:
            scene_id: a scene of the video.
            start_s, end_s: seconds of the video.
            progress: called with the seconds that were looked at, and all of them.
            is_cancelled: asked ten times a second.

        Raises SceneNotFound, InvalidValue, SourceMissing, SourceChanged, UndecodableVideo, Cancelled.
        """
        video = self._video(self._scene(scene_id))
        last_s = video.info.duration_s if video.info is not None else 0.0
        settings = self._context.settings
        if not 0 <= start_s < end_s <= last_s + 0.001 or end_s - start_s > settings.short_max_s:
            value = f"{start_s:.3f} to {end_s:.3f} s"
            reason = f"it must lie in its video, and have at most {settings.short_max_s} s"
            raise InvalidValue(name="stretch", value=value, reason=reason)
        context = WorkContext(progress or (lambda done, total: None), is_cancelled or (lambda: False))
        return crop_path_of(self._context.store, video, start_s, end_s, settings=settings, context=context)

    def has_face_detector(self) -> bool:
        """Whether smart_crop looks for faces: the detector is on this machine (`models pull faces`)."""
        return model_file(self._context.settings.models_dir) is not None

    @checked
    def read_crop_path(self, file: AnyPath) -> CropPath:
        """A crop path from a .json or .csv file. Raises FileUnreadable, InvalidValue."""
        return read_crop_path(Path(file).expanduser())

    @checked
    def preview(self, scene_id: str, strategy: str, at_s: float, crop_path: CropPath | None = None) -> bytes:
        """What a short shows at `at_s` seconds of the scene's video, as a small JPEG; smart_crop without a path is
        shown as center_crop. Raises SceneNotFound, UnknownName, SourceMissing, SourceChanged, RenderFailed."""
        video = self._video(self._scene(scene_id))
        source = require_source(self._context.store.paths, video)
        if video.info is None or not 0 <= at_s <= video.info.duration_s:
            raise InvalidValue(name="at_s", value=f"{at_s:.3f}", reason="it must lie in the video")
        name = "center_crop" if strategy == "smart_crop" and crop_path is None else strategy
        start_s = min(at_s, max(0.0, video.info.duration_s - 0.1))
        clip = RenderClip(source, video.info, start_s, start_s + 0.05, framing=framing_of(name, crop_path))
        width, height = _PREVIEW_SIZE
        return render_frame(clip, width=width, height=height, timeout_s=_PREVIEW_TIMEOUT_S, context=WorkContext())

    @checked
    def request_of(self, export_id: str) -> ShortRequest:
        """What a short was asked for with, and the captions that were rendered. Raises ExportNotFound, InvalidValue."""
        export = self._exports.get(export_id)
        if export.kind != KIND.name:
            raise InvalidValue(name="export_id", value=export_id, reason="it is no short")
        return replace(ShortRequest.from_json(export.params), title=export.title)

    def _planned(self, requests: Sequence[ShortRequest], *, queue: bool) -> list[Export]:
        """Records of shorts, created together."""
        if queue:
            self._context.require_queue()
        self._exports.end_interrupted()  # what was killed does not count towards the limit
        now, view = utc_now(), self._context.store.reader().view()
        exports = []
        for request in requests:
            scene = self._scene(request.scene_id)
            video = self._video(scene)
            require_source(self._context.store.paths, video)
            end_s = video.info.duration_s if video.info is not None else scene.end_s
            words = self._words(scene.video_id, 0.0, max(end_s, scene.end_s))
            user_id, settings = self._context.user_id, self._context.settings
            exports.append(plan_short(view, video, request, words, user_id=user_id, settings=settings, now=now))
        return self._context.store.exports.create_all(exports, limit=self._context.settings.short_daily_limit)

    def _scene(self, scene_id: str) -> Scene:
        return self._context.store.reader().view().scene(self._context.user_id, scene_id)

    def _video(self, scene: Scene) -> Video:
        return self._context.store.video(self._context.user_id, scene.video_id)

    def _words(self, video_id: str, start_s: float, end_s: float) -> tuple[Word, ...]:
        segments = self._context.store.reader().ask(lambda view: view.words(self._context.user_id, video_id))
        return spoken_words(segments, start_s, end_s)
