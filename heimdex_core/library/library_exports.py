"""What is rendered of a library: reels, shorts, and the edit of a reel for editing programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

from heimdex_core.errors import InvalidValue
from heimdex_core.library.arguments import AnyPath, Names, checked
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.library.exports import Exports
from heimdex_core.library.library_clips import LibraryClips
from heimdex_core.library.shorts import Shorts
from heimdex_core.library.timelines import timeline_text
from heimdex_core.types import CropPath, Cue, Export, ReelClip, ReelOptions, ShortRequest


class LibraryExports(LibraryClips):
    """The part of Library that makes files of clips."""

    def __init__(self, context: LibraryContext) -> None:
        super().__init__(context)
        self.exports = Exports(context)
        self.shorts = Shorts(context, self.exports)

    @checked
    def short(
        self,
        scene_id: str,
        *,
        strategy: str = "center_crop",
        quality: str = "medium",
        trim: tuple[float, float] | None = None,
        captions: str | None = None,
        position: str = "safe",
        cues: Sequence[Cue] | None = None,
        crop_path: CropPath | None = None,
        snap: str | None = None,
        title: str = "",
        out: AnyPath | None = None,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Export:
        """Render one scene into a 9:16 MP4 of 1080x1920 pixels, with its sound at -14 LUFS.

        Args:
            scene_id: of a scene of the person's indexed videos.
            strategy: how its picture is put into the frame: one of export.crop.STRATEGIES.
            quality: one of export.quality.QUALITIES.
            trim: [start, end) in seconds of the video, also beyond the scene; default the whole scene.
            captions: the style of captions (export.captions.STYLES); None for none.
            position: where captions stand (export.captions.POSITIONS).
            cues: captions as corrected by hand (`shorts.cues` makes them); default those of the transcript.
            crop_path: where smart_crop crops.
            snap: move in and out to the ends of what is said: "word" or "sentence".
            title: default the video's; at most HEIMDEX_MAX_TITLE_CHARS characters.
            out: also copy the file there.
            queue: leave the rendering to the worker.

        Raises SceneNotFound, SceneTooLong, ExportLimitExceeded, SourceMissing, SourceChanged, InvalidValue,
        UnknownName; RenderFailed, RenderCheckFailed, RenderTimeout, DiskFull, Cancelled. It is never tried again by
        itself.
        """
        request = ShortRequest(
            scene_id,
            strategy=strategy,
            quality=quality,
            trim=trim,
            captions=captions,
            position=position,
            cues=tuple(cues) if cues is not None else None,
            crop_path=crop_path,
            snap=snap,
            title=title,
        )
        return self.shorts.make(request, out=out, queue=queue, progress=progress)

    @checked
    def timeline(
        self,
        clips: Sequence[ReelClip | str],
        format: str,
        *,
        title: str = "",
        fps: float | None = None,
        out: AnyPath | None = None,
    ) -> str:
        """The edit of a reel for editing programs, as text; its files stay where they are in the library.

        It has the paths of the files in the library's folder; for users of a shared library who are no admins only
        their names, by which editing programs find them.

        Args:
            clips: clips or scene ids, in their order; 1 to HEIMDEX_MAX_REEL_SCENES.
            format: "otio" (OpenTimelineIO), "edl" (CMX 3600), "fcpxml", "csv", or "srt" (what is said).
            title: at most HEIMDEX_MAX_TITLE_CHARS characters.
            fps: frames per second of the timeline: 23.976, 24, 25, 29.97, 30, 48, 50, 59.94 or 60; None for the rate
                that most of it has.
            out: also write it there, as UTF-8.

        Raises UnknownName, InvalidValue, InvalidReel, SceneNotFound, ClipsFailed, DiskFull, DecoderFailed.
        """
        path = None if out is None else Path(out).expanduser()
        return timeline_text(self._context, clips, format, title=title, fps=fps, out=path)

    @overload
    def reel(
        self,
        clips: Sequence[ReelClip | str],
        *,
        timeline: str,
        title: str = "",
        out: AnyPath | None = None,
    ) -> str: ...

    @overload
    def reel(
        self,
        clips: Sequence[ReelClip | str],
        *,
        timeline: None = None,
        title: str = "",
        mode: str = "exact",
        aspect: str = "16:9",
        height_px: int | None = None,
        strategy: str | None = None,
        clip_strategies: Mapping[int, str] | None = None,
        crossfade_s: float = 0.0,
        title_card: bool = False,
        lower_thirds: bool = False,
        captions: str | None = None,
        position: str = "safe",
        remove_silence: bool = False,
        keep: Names = (),
        out: AnyPath | None = None,
        skip_failed: bool = False,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Export: ...

    @checked
    def reel(
        self,
        clips: Sequence[ReelClip | str],
        *,
        timeline: str | None = None,
        title: str = "",
        mode: str = "exact",
        aspect: str = "16:9",
        height_px: int | None = None,
        strategy: str | None = None,
        clip_strategies: Mapping[int, str] | None = None,
        crossfade_s: float = 0.0,
        title_card: bool = False,
        lower_thirds: bool = False,
        captions: str | None = None,
        position: str = "safe",
        remove_silence: bool = False,
        keep: Names = (),
        out: AnyPath | None = None,
        skip_failed: bool = False,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Export | str:
        """Render one MP4 of clips or scene ids, in their order. What is left out is as `ReelOptions` has it.

        Args:
            clips: 1 to HEIMDEX_MAX_REEL_SCENES; a clip ends with its video.
            timeline: render nothing and return the edit in this format, as `timeline` does; only `title` and `out`
                apply to it.
            title: at most HEIMDEX_MAX_TITLE_CHARS characters.
            mode: "exact", or "fast" to copy frames of the sources where that can be done; `notes` of the export say how
                many ("frames_copied:48/55"), or why none ("rendered_exactly:size").
            aspect: "16:9", "9:16" or "1:1".
            height_px: the shorter side of the picture, 360 to 1080; None for HEIMDEX_REEL_HEIGHT_PX.
            strategy: how pictures of another shape are put into the frame; None shows all of each on black.
            clip_strategies: the same for single clips, by their number from 1, in place of what a clip itself has
                (`ReelClip.strategy`); where neither says anything, `strategy` holds.
            crossfade_s: how long clips fade into each other, in seconds.
            title_card, lower_thirds: show the title of the reel at its beginning, and of each video at its clip's.
            captions, position: the style and the place of captions; None for none.
            remove_silence: cut out filler words and long silences, but those whose ids `keep` has (see `pauses`).
            out: also copy the file there.
            skip_failed: leave out clips that cannot be rendered; `left_out` of the export names them.
            queue: leave the rendering to the worker.

        Raises ClipsFailed, which names the clips that cannot be rendered; InvalidReel, InvalidValue, UnknownName,
        SceneNotFound, RenderFailed, RenderCheckFailed, RenderTimeout, DiskFull.
        """
        if timeline is not None:
            return self.timeline(clips, timeline, title=title, out=out)
        options = ReelOptions(
            mode=mode,
            aspect=aspect,
            height_px=height_px,
            strategy=strategy,
            crossfade_s=crossfade_s,
            title_card=title_card,
            lower_thirds=lower_thirds,
            captions=captions,
            position=position,
        )
        if clip_strategies:
            clips = self._with_strategies(clips, clip_strategies)
        if remove_silence:
            clips = self.without_pauses(clips, keep=keep)
        return self.exports.make_reel(
            clips, title=title, options=options, out=out, skip_failed=skip_failed, queue=queue, progress=progress
        )

    def _with_strategies(self, clips: Sequence[ReelClip | str], strategies: Mapping[int, str]) -> list[ReelClip]:
        found = self._clips(clips)
        for number, name in strategies.items():
            if not 1 <= number <= len(found):
                raise InvalidValue(name="clip", value=str(number), reason=f"the reel has clips 1 to {len(found)}")
            found[number - 1] = replace(found[number - 1], strategy=name)
        return found
