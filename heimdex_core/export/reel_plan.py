"""What a reel needs beside its clips: names that are checked, its title, and the captions of each clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from heimdex_core.errors import VideoNotFound
from heimdex_core.export.captions import caption_position, caption_style, make_cues, spoken_words
from heimdex_core.export.crop import strategy
from heimdex_core.types import Cue, Export, Json, ReelClip, ReelOptions, Segment, to_json


def check_names(options: ReelOptions) -> None:
    """Raises UnknownName for a strategy, a caption style or a caption position that is not registered."""
    if options.strategy is not None:
        strategy(options.strategy)
    if options.captions is not None:
        caption_style(options.captions)
    caption_position(options.position)


def with_texts(
    export: Export,
    options: ReelOptions,
    words_of: Callable[[str], Sequence[Segment]],
    language_of: Callable[[ReelClip], str | None],
) -> Export:
    """The planned export with the texts that are drawn: stored with it, so that it is rendered as it was planned.

    Args:
        export: what `plan_export` made.
        options: of the reel.
        words_of: the transcript of a video. Where it raises VideoNotFound, a clip has no captions.
        language_of: the language that is spoken in a clip; None if it is not known. Lines are broken by it.
    """
    texts: Json = {}
    if options.title_card:
        texts["title"] = export.title
    if options.captions is not None:
        cues: dict[str, Sequence[Cue]] = {}
        for number, clip in enumerate(export.clips, 1):
            try:
                words = spoken_words(words_of(clip.video_id), clip.start_s, clip.end_s)
            except VideoNotFound:
                continue
            language = language_of(clip)
            cues[str(number)] = make_cues(words, start_s=clip.start_s, end_s=clip.end_s, language=language)
        texts["cues"] = to_json(cues)
    return replace(export, params={**export.params, **texts})


def stored_cues(params: Json, number: int) -> tuple[Cue, ...]:
    """The captions of the clip of that number, in player time of its source; none of other kinds than reels."""
    cues = params.get("cues")
    return tuple(Cue.from_json(cue) for cue in cues.get(str(number), ())) if isinstance(cues, dict) else ()
