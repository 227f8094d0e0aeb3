"""Which subtitle file beside a video is used, under the names that people and programs give them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.media.subtitles import Candidate, choose_file, choose_subtitles, find_sidecar
from heimdex_core.media.subtitles.languages import language_named


def touch(folder: Path, *names: str, content: str = "x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def found(
    folder: Path, video: str = "Talk.mp4", language: str | None = None
) -> tuple[str | None, str | None, tuple[str, ...]]:
    """(path relative to the folder, language, notes)"""
    sidecar = find_sidecar(folder / video, language)
    path = None if sidecar.path is None else sidecar.path.relative_to(folder).as_posix()
    return path, sidecar.language, sidecar.notes


@pytest.mark.parametrize(
    ("video", "file", "language"),
    [
        ("Talk.mp4", "Talk.srt", None),
        ("Talk.mp4", "talk.SRT", None),
        ("Talk.mp4", "Talk.ko.srt", "ko"),
        ("Talk.mp4", "Talk.kor.smi", "ko"),
        ("Talk.mp4", "Talk.en-US.vtt", "en"),
        ("Talk.mp4", "Talk.pt_BR.srt", "pt"),
        ("Talk.mp4", "Talk.zh-Hans.ass", "zh"),
        ("Talk.mp4", "Talk.English.srt", "en"),
        ("Talk.mp4", "Talk.한국어.smi", "ko"),
        ("Talk.mp4", "Talk 한글자막.smi", "ko"),
        ("Talk.mp4", "Talk.자막.smi", None),
        ("Talk.mp4", "Talk (English).srt", "en"),
        ("Talk.mp4", "Talk [ko].srt", "ko"),
        ("Talk.mp4", "Talk_en.srt", "en"),
        ("Talk.mp4", "Talk - Korean.srt", "ko"),
        ("Talk.mp4", "Talk.English - SDH.srt", "en"),
        ("Talk.mp4", "Talk.en.hi.srt", "en"),
        ("Talk.mp4", "Talk.hi.srt", "hi"),
        ("Talk.mp4", "Talk.default.en.srt", "en"),
        ("Talk.mp4", "Talk.mp4.srt", None),
        ("Talk.mp4", "Talk.mp4.en.srt", "en"),
        ("Talk.mp4", "Talk (1).srt", None),
        ("Talk.mp4", "Talk.ttml", None),
        ("Talk.mp4", "Talk.dfxp", None),
        ("Talk.mp4", "Talk.sub", None),
        ("My talk [dQw4w9WgXcQ].mp4", "My talk [dQw4w9WgXcQ].en.vtt", "en"),
        ("My talk [dQw4w9WgXcQ].mp4", "My talk [dQw4w9WgXcQ].en-orig.vtt", "en"),
        ("My talk [dQw4w9WgXcQ].f137.mp4", "My talk [dQw4w9WgXcQ].en.vtt", "en"),
        ("a*b?[c].mkv", "a*b?[c].ko.srt", "ko"),
        ("Straße.mp4", "STRASSE.de.srt", "de"),
        ("Talk.mp4", "Subs/Talk.en.srt", "en"),
        ("Talk.mp4", "SUBTITLES/talk.srt", None),
        ("Talk.mp4", "자막/Talk.smi", None),
        ("Talk.mp4", "Subs/Talk/2_English.srt", "en"),
        ("Talk.mp4", "Subs/2_English.srt", "en"),
        ("Talk.mp4", "sub/ko.smi", "ko"),
    ],
)
def test_the_names_people_have(tmp_path: Path, video: str, file: str, language: str | None) -> None:
    touch(tmp_path, video, file)
    assert found(tmp_path, video)[:2] == (file, language)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_composed_and_decomposed_names(tmp_path: Path, form: str) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    video, file = unicodedata.normalize(form, "여행 é.mp4"), unicodedata.normalize(other, "여행 é.ko.srt")  # type: ignore[arg-type]
    touch(tmp_path, video, file)
    path, language, _ = found(tmp_path, video)
    assert path is not None
    assert (os.fsencode(path), language) == (os.fsencode(file), "ko")


@pytest.mark.parametrize("file", ["Talk.srt.txt", "Talk.live_chat.json", "x/Talk.srt", "Talk.mp4.part"])
def test_other_files(tmp_path: Path, file: str) -> None:
    touch(tmp_path, "Talk.mp4", file)
    assert found(tmp_path) == (None, None, ())


@pytest.mark.parametrize("file", ["Talk 2.srt", "Talk.part2.srt", "Talk.2019.1080p.srt"])
def test_a_longer_name_that_says_something_else_is_not_used_but_said(tmp_path: Path, file: str) -> None:
    touch(tmp_path, "Talk.mp4", "Zebra.mp4", file)
    assert found(tmp_path) == (None, None, (f"subtitles_name_differs:{file}",))
    touch(tmp_path, f"{Path(file).stem}.mp4")
    assert found(tmp_path) == (None, None, ())


@pytest.mark.parametrize("file", ["Other.srt", "Talkative.srt", "subtitle.smi"])
def test_another_name_is_said_where_there_is_one_video(tmp_path: Path, file: str) -> None:
    touch(tmp_path, "Talk.mp4", file)
    assert found(tmp_path) == (None, None, (f"subtitles_name_differs:{file}",))
    touch(tmp_path, "Zebra.mp4")
    assert found(tmp_path) == (None, None, ())


def test_a_file_belongs_to_the_video_with_the_longest_name(tmp_path: Path) -> None:
    touch(tmp_path, "Talk.mp4", "Talk.en.mp4", "Talk.en.srt", "Talk.en.ko.srt")
    assert found(tmp_path)[0] is None
    assert found(tmp_path, "Talk.en.mp4", "ko")[0] == "Talk.en.ko.srt"


def test_a_folder_of_subtitles_beside_several_videos_is_searched_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "Talk.mp4", "Other.mp4", "Subs/English.srt")
    assert found(tmp_path)[0] is None
    touch(tmp_path, "Subs/Talk.English.srt")
    assert found(tmp_path)[0] == "Subs/Talk.English.srt"


def test_a_missing_folder(tmp_path: Path) -> None:
    assert found(tmp_path, "no/Talk.mp4") == (None, None, ())


@pytest.mark.parametrize(
    ("files", "language", "chosen", "reason"),
    [
        (["Talk.ko.srt"], None, "Talk.ko.srt", "from"),
        (["Subs/Talk.srt"], None, "Subs/Talk.srt", "from"),
        (["Talk.en.srt", "Talk.ko.srt"], "ko", "Talk.ko.srt", "chosen_language"),
        (["Talk.en.srt", "Talk.ko.srt"], "en", "Talk.en.srt", "chosen_language"),
        (["Talk.en.srt", "Talk.srt"], "ko", "Talk.srt", "chosen_language"),
        (["Talk.en.srt", "Talk.srt"], None, "Talk.srt", "chosen_first"),
        (["Talk.ko.vtt", "Talk.en-orig.vtt"], None, "Talk.en-orig.vtt", "chosen_language"),
        (["Talk.en.forced.srt", "Talk.en.srt"], "en", "Talk.en.srt", "chosen_dialogue"),
        (["Talk.en.signs.ass", "Talk.ko.ass"], "en", "Talk.ko.ass", "chosen_dialogue"),
        (["Talk.en.commentary.srt", "Talk.en.sdh.srt"], "en", "Talk.en.sdh.srt", "chosen_dialogue"),
        (["Talk.en.hi.srt", "Talk.en.srt"], "en", "Talk.en.srt", "chosen_dialogue"),
        (["Talk.a.en.srt", "Talk.en.srt", "Talk.en.default.vtt"], "en", "Talk.en.default.vtt", "chosen_default"),
        (["Talk.vtt", "Talk.srt"], None, "Talk.srt", "chosen_first"),
    ],
)
def test_one_of_several(tmp_path: Path, files: list[str], language: str | None, chosen: str, reason: str) -> None:
    touch(tmp_path, "Talk.mp4", *files)
    path, _, notes = found(tmp_path, language=language)
    assert (path, notes) == (chosen, (f"subtitles_{reason}:{Path(chosen).name}",))


def test_a_single_file_with_the_name_of_the_video_needs_no_reason(tmp_path: Path) -> None:
    touch(tmp_path, "Talk.mp4", "talk.srt")
    assert found(tmp_path) == ("talk.srt", None, ())


def test_an_empty_file_is_the_last_choice(tmp_path: Path) -> None:
    touch(tmp_path, "Talk.mp4", "Talk.vtt")
    touch(tmp_path, "Talk.srt", content="")
    assert found(tmp_path)[0] == "Talk.vtt"


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "Talk.mp4", "Talk.idx", "Talk.en.forced.srt")
    (tmp_path / "Talk.sub").write_bytes(b"\x00\x00\x01\xba" + bytes(20))
    assert found(tmp_path) == (None, None, ("subtitles_pictures:Talk.sub", "subtitles_partial_only:Talk.en.forced.srt"))


def test_a_file_that_comes_later_is_found(tmp_path: Path) -> None:
    touch(tmp_path, "Talk.mp4")
    assert found(tmp_path)[0] is None
    touch(tmp_path, "Talk.srt")
    assert found(tmp_path)[0] == "Talk.srt"


def test_a_folder_is_listed_once_for_all_its_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(30):
        touch(tmp_path, f"{n}.mp4", f"{n}.ko.srt")
    os.utime(tmp_path, (1_000_000, 1_000_000))  # changed long ago
    listings: list[Path] = []
    scandir = os.scandir

    def counted(path: Path) -> Any:
        listings.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    assert [found(tmp_path, f"{n}.mp4")[0] for n in range(30)] == [f"{n}.ko.srt" for n in range(30)]
    assert listings == [tmp_path]


# --- uploads --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "language", "index", "in_name"),
    [
        (["여행.ko.srt"], None, 0, "ko"),
        (["여행.en.srt", "여행.ko.srt"], "ko", 1, "ko"),
        (["something else.en.srt"], None, 0, "en"),
        (["whatever.smi"], None, 0, None),
        (["여행.ko.forced.srt", "여행.en.srt"], "ko", 1, "en"),
    ],
)
def test_one_of_several_uploads(names: list[str], language: str | None, index: int, in_name: str | None) -> None:
    chosen, sidecar = choose_file(names, "여행.mp4", language)
    assert (chosen, sidecar.language) == (index, in_name)
    assert bool(sidecar.notes) == (len(names) > 1)


# --- the rule -------------------------------------------------------------------------------------


def chosen(candidates: list[Candidate], language: str | None = None, duration_s: float | None = None) -> int | None:
    choice = choose_subtitles(candidates, language, duration_s=duration_s)
    return None if choice is None else choice.index


def test_a_forced_track_with_the_lines_of_a_dialogue_is_one() -> None:
    forced = Candidate("a", "en", "forced", line_count=400)
    assert chosen([forced], duration_s=3600.0) == 0
    assert chosen([Candidate("a", "en", "forced", line_count=20)], duration_s=3600.0) is None
    assert chosen([Candidate("a", "en", "signs", line_count=400)], duration_s=3600.0) is None
    # but not beside a longer one
    assert chosen([forced, Candidate("b", "en", line_count=900)], "en", 3600.0) == 1


def test_nothing_to_choose_from() -> None:
    assert chosen([]) is None
    assert chosen([Candidate("a", None, "commentary")]) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ko", "ko"), ("KOR", "ko"), ("Korean", "ko"), ("한국어", "ko"), ("ko-KR", "ko"), ("zh_Hant", "zh"),
        ("chi", "zh"),
        ("en-orig", "en"), ("ger", "de"), ("Español", "es"), ("xx", None), ("", None), ("english-forced", None),
    ],
)  # fmt: skip
def test_languages_by_name(name: str, code: str | None) -> None:
    assert language_named(name) == code
