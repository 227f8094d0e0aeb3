"""Reads the annotation files of public text-to-video benchmarks: which sentence describes which video.

msrvtt: videodatainfo.json or test_videodatainfo.json of MSR-VTT ({"videos": [...], "sentences": [...]}), or the CSV of
    the 1k-A split (MSRVTT_JSFUSION_test.csv, columns video_id and sentence).
didemo: test_data.json of DiDeMo, a list of {"video", "description", "times", ...}. As papers do, all descriptions of a
    video together are one query ("paragraph-to-video").
msvd: AllVideoDescriptions.txt of MSVD (a video and a sentence on each line), or its video corpus as CSV (columns
    VideoID, Start, End, Language and Description; only English rows are read).
clips: a CSV of one's own with the columns video and caption.

Pickled annotations (raw-captions.pkl) are not read: reading a pickle runs the code in it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heimdex_core.errors import FileUnreadable, InvalidValue


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence and the video it describes, by the name that the annotations give it."""

    video: str
    text: str


def read_captions(dataset: str, path: Path, split: str = "test") -> list[Caption]:
    """The captions of an annotation file, in its order.

    Args:
        dataset: one of FORMATS.
        path: the annotation file.
        split: of MSR-VTT's JSON, "train", "validate" or "test"; no other format names splits.

    Raises FileUnreadable for a file that cannot be read or has another form; InvalidValue for one without captions.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = FORMATS[dataset](text, split)
    except OSError as error:
        raise FileUnreadable(filename=str(path), reason=error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        reason = f"not annotations of {dataset} ({type(error).__name__}: {error})"
        raise FileUnreadable(filename=str(path), reason=reason) from error
    captions = [Caption(video.strip(), " ".join(said.split())) for video, said in found]
    captions = [caption for caption in captions if caption.video and caption.text]
    if not captions:
        raise InvalidValue(name="annotations", value=str(path), reason=f"it has no caption (split {split})")
    return captions


Pairs = list[tuple[str, str]]
"""(name of the video, sentence)."""


def _msrvtt(text: str, split: str) -> Pairs:
    if not text.lstrip().startswith("{"):
        return [(row["video_id"], row["sentence"]) for row in _rows(text)]
    document = json.loads(text)
    chosen = {row["video_id"] for row in document["videos"] if row.get("split", split) == split}
    return [(row["video_id"], row["caption"]) for row in document["sentences"] if row["video_id"] in chosen]


def _didemo(text: str, split: str) -> Pairs:
    paragraphs: dict[str, list[str]] = {}
    for row in json.loads(text):
        paragraphs.setdefault(row["video"], []).append(row["description"])
    return [(video, " ".join(sentences)) for video, sentences in paragraphs.items()]


def _msvd(text: str, split: str) -> Pairs:
    if text.startswith("VideoID"):
        return [
            (f"{row['VideoID']}_{row['Start']}_{row['End']}", row["Description"])
            for row in _rows(text)
            if row["Language"] == "English"
        ]
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a line has no sentence")
    return [(video, sentence) for video, sentence in pairs]


def _clips(text: str, split: str) -> Pairs:
    return [(row["video"], row["caption"]) for row in _rows(text)]


def _rows(text: str) -> list[Mapping[str, Any]]:
    """The rows of a CSV with a heading, separated by commas, semicolons or tabs."""
    heading = text.partition("\n")[0]
    separator = max(",;\t", key=heading.count)
    return list(csv.DictReader(io.StringIO(text), delimiter=separator, strict=True))


FORMATS: Mapping[str, Callable[[str, str], Pairs]] = {
    "msrvtt": _msrvtt,
    "didemo": _didemo,
    "msvd": _msvd,
    "clips": _clips,
}


def video_files(folder: Path, names: set[str]) -> dict[str, Path]:
    """The file of each name, by name; names without a file are left out.

    A file matches by its name, or by its name without one or two endings: DiDeMo's "a.avi" may lie there as "a.mp4" or
    "a.avi.mp4". Raises FileUnreadable for a folder that is not there.
    """
    if not folder.is_dir():
        raise FileUnreadable(filename=str(folder), reason="it is not a folder")
    by_name: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in ENDINGS):
        for name in (path.name, path.stem, Path(path.stem).stem):
            by_name.setdefault(name, path)
    found = {name: by_name.get(name) or by_name.get(Path(name).stem) for name in names}
    return {name: path for name, path in found.items() if path is not None}


ENDINGS = frozenset({".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".mpeg", ".ogv", ".webm", ".wmv"})
"""Of the files that are looked at."""
