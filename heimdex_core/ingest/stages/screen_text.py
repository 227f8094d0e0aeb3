"""Stage `screen_text`: the text that can be read in each scene's keyframes. Only where the models have a reader.

A line that stays on screen is read in several keyframes, not always with the same letters: it is kept once, as it was
read most certainly.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.prefetch import image_batches
from heimdex_core.ingest.stages import keyframes
from heimdex_core.models.base import TextReader
from heimdex_core.types import FrameText, Json, TextLine, WorkContext, to_json

MAX_LINES = 200
"""Lines that a scene keeps."""
_ALIKE = 0.8
"""From this ratio of equal letters on, two readings are of one line."""
_SHORT = 6
"""Readings of fewer letters are of one line only if they are equal."""
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class SceneTexts:
    """The text of one scene: each line once, in `text` one a line, and in `frames` where each keyframe has it."""

    text: str = ""
    frames: tuple[FrameText, ...] = ()

    @staticmethod
    def from_json(data: Json) -> SceneTexts:
        frames = (FrameText(one["file"], tuple(TextLine(**line) for line in one["lines"])) for one in data["frames"])
        return SceneTexts(data["text"], tuple(frames))


def scene_texts(frames: Sequence[FrameText]) -> SceneTexts:
    """The text of a scene by the readings of its keyframes, in order of time."""
    lines = distinct(line for frame in frames for line in frame.lines)
    return SceneTexts("\n".join(line.text for line in lines), tuple(one for one in frames if one.lines))


def distinct(lines: Iterable[TextLine]) -> list[TextLine]:
    """At most MAX_LINES different lines, in the order in which they come first, each as it was read most certainly."""
    found: list[tuple[str, TextLine]] = []
    for line in lines:
        letters = _letters(line.text)
        same = next((n for n, (other, _) in enumerate(found) if _is_same(letters, other)), None)
        if same is not None:
            if line.confidence > found[same][1].confidence:
                found[same] = (letters, line)
        elif letters and len(found) < MAX_LINES:
            found.append((letters, line))
    return [line for _, line in found]


def _letters(text: str) -> str:
    """What counts when lines are compared: letters and digits, without case."""
    return "".join(one for one in unicodedata.normalize("NFKC", text).casefold() if one.isalnum())


def _is_same(one: str, other: str) -> bool:
    if one == other:
        return True
    if min(len(one), len(other)) < _SHORT or _DIGITS.findall(one) != _DIGITS.findall(other):
        return False  # "page 1" and "page 2" differ
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """The texts of each scene; none for one without pictures."""
    scenes, reader = context.result(keyframes.SPEC), context.models.reader()
    kept = keyframes.unchanged(context, SPEC)
    then = {} if kept is None else {n: kept[0].result["scenes"][old] for n, old in kept[1].items()}
    owners = [n for n, scene in enumerate(scenes) if n not in then for _ in scene.keyframes]
    files = [keyframe.file for n, scene in enumerate(scenes) if n not in then for keyframe in scene.keyframes]
    frames: list[list[FrameText]] = [[] for _ in scenes]
    if reader is not None:  # otherwise the stage is not part of the run
        for owner, frame in zip(owners, _read(reader, files, context, work), strict=True):
            frames[owner].append(frame)
    return StageOutput({"scenes": [then.get(n) or to_json(scene_texts(frames[n])) for n in range(len(scenes))]})


def _read(reader: TextReader, files: Sequence[str], context: StageContext, work: WorkContext) -> Iterator[FrameText]:
    """The certain lines of each keyframe."""
    names = iter(files)
    done = 0
    for images in image_batches(context.work.path / keyframes.FOLDER, files, work):
        for image in images:
            work.check()
            lines = (line for line in reader.read(image) if line.confidence >= context.params.ocr_min_confidence)
            yield FrameText(next(names), tuple(lines))
            done += 1
            work.report(done, len(files))


def _model(context: StageContext) -> str | None:
    reader = context.models.reader()
    return f"{context.models.choice.ocr}@{reader.revision}" if reader is not None else None


SPEC: StageSpec[list[SceneTexts]] = StageSpec(
    name="screen_text",
    version=1,
    branch="picture",
    run=run,
    parse=lambda data: [SceneTexts.from_json(one) for one in data["scenes"]],
    label={"en": "Reading on-screen text", "ko": "화면 글자 읽기"},
    needs=(keyframes.SPEC,),
    reads_files_of=(keyframes.SPEC,),
    params=("ocr_min_confidence",),
    applies=lambda models: models.reader() is not None,
    model=_model,
    unit="items",
    weight=8.0,
)
