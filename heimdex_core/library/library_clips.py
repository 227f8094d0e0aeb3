"""What a clip is cut by: the words that are said in a video, its pauses, and its waveform."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from heimdex_core.errors import FileUnreadable, InvalidValue, VideoNotFound
from heimdex_core.export.captions import spoken_words
from heimdex_core.export.pauses import find_pauses, without
from heimdex_core.export.plan import clip_of, distinct
from heimdex_core.export.snapping import CONTEXT_S, snap
from heimdex_core.files import make_folder, require_free_space, write_json
from heimdex_core.library.arguments import Count, Names, checked
from heimdex_core.library.library_videos import LibraryVideos
from heimdex_core.media.child import ChildLimits
from heimdex_core.media.waveform import MAX_BUCKETS, peaks
from heimdex_core.types import Interval, Pause, ReelClip, Word


class LibraryClips(LibraryVideos):
    """The part of Library that helps to choose where clips begin and end. Times are seconds of a video."""

    @checked
    def spoken_words(self, video_id: str, start_s: float, end_s: float) -> list[Word]:
        """The words whose middle lies in [start_s, end_s) of a video, whatever scenes that is. Raises VideoNotFound.

        Where the transcript has no word times, the words of a line share its time.
        """
        return list(spoken_words(self.words(video_id), start_s, end_s))

    @checked
    def snap(self, video_id: str, start_s: float, end_s: float, to: str = "sentence") -> tuple[float, float]:
        """[start_s, end_s) moved to ends of words or sentences, so that no word or sentence is divided.

        Raises VideoNotFound, UnknownName.
        """
        return snap(self.spoken_words(video_id, start_s - CONTEXT_S, end_s + CONTEXT_S), start_s, end_s, to)

    @checked
    def pauses(self, clips: Sequence[ReelClip | str], *, min_silence_s: float | None = None) -> list[Pause]:
        """The filler words and long silences in clips or scenes, in the order of the clips; each once.

        `min_silence_s`: longer silences are found; default HEIMDEX_PAUSE_MIN_S. Of each, HEIMDEX_PAUSE_KEPT_S stay
        beside a word. Raises SceneNotFound for the id of a scene that does not exist, VideoNotFound.
        """
        found: dict[str, Pause] = {}
        for clip in self._clips(clips):
            found |= {pause.pause_id: pause for pause in self._pauses_of(clip, min_silence_s)}
        return list(found.values())

    @checked
    def without_pauses(
        self, clips: Sequence[ReelClip | str], *, keep: Names = (), min_silence_s: float | None = None
    ) -> list[ReelClip]:
        """The clips without their pauses, as pieces in the same order; `keep` has the ids of pauses that stay.

        Raises SceneNotFound, VideoNotFound.
        """
        kept = set(keep)
        pieces = [
            piece
            for clip in self._clips(clips)
            for piece in without(
                clip, [one for one in self._pauses_of(clip, min_silence_s) if one.pause_id not in kept]
            )
        ]
        return list(distinct(pieces))

    @checked
    def waveform(self, video_id: str, start_s: float, end_s: float, buckets: Count) -> list[float]:
        """The largest magnitude of the sound in each of `buckets` equal parts of [start_s, end_s), 0 to 1.

        It is kept in the library's cache. Raises VideoNotFound, InvalidValue, FileUnreadable, NotAVideo, DecoderFailed,
        DiskFull.
        """
        if not 1 <= buckets <= MAX_BUCKETS:
            raise InvalidValue(name="buckets", value=str(buckets), reason=f"it must be 1 to {MAX_BUCKETS}")
        video = self.video(video_id)
        if video.info is None or video.generation is None:
            raise VideoNotFound(video_id=video_id)
        longest_s = video.info.duration_s + 1.0
        if not (math.isfinite(start_s) and 0 <= start_s < end_s) or end_s - start_s > longest_s:
            value = f"{start_s:.3f} to {end_s:.3f} s"
            raise InvalidValue(name="waveform", value=value, reason="it must be a part of the video")
        paths = self._store.paths
        name = f"{round(start_s * 1000)}-{round(end_s * 1000)}.{buckets}.waveform.json"
        path = paths.sprites(video_id, video.generation) / name
        try:
            return [float(value) for value in json.loads(path.read_text())["peaks"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not made yet, or not completely
        source = paths.source(video_id, missing_ok=True)
        if source is None:
            raise FileUnreadable(filename=video.filename, reason="the file is missing")
        require_free_space(paths.cache, 0, keep_free_bytes=self.settings.min_free_bytes, what="a waveform")
        make_folder(path.parent, levels=4)
        made = peaks(
            source,
            video.info,
            Interval(start_s, end_s),
            buckets,
            filename=video.filename,
            limits=ChildLimits.of(self.settings),
            scratch=path.parent,
        )
        write_json(path, {"peaks": made}, durable=False)
        return made

    def _clips(self, clips: Sequence[ReelClip | str]) -> list[ReelClip]:
        return [clip_of(self.scene(clip)) if isinstance(clip, str) else clip for clip in clips]

    def _pauses_of(self, clip: ReelClip, min_silence_s: float | None) -> tuple[Pause, ...]:
        language = next((s.language for s in self.scenes(clip.video_id) if s.start_s < clip.end_s <= s.end_s), None)
        return find_pauses(
            self.spoken_words(clip.video_id, clip.start_s, clip.end_s),
            clip.start_s,
            clip.end_s,
            language,
            video_id=clip.video_id,
            min_silence_s=self.settings.pause_min_s if min_silence_s is None else min_silence_s,
            kept_silence_s=self.settings.pause_kept_s,
        )
