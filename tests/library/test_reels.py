"""Named reels of a library, and what clips are cut by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.errors import InvalidReel, InvalidValue, ReelNotFound, SceneNotFound, TrayConflict
from heimdex_core.export import reel_plan
from heimdex_core.library import Library
from heimdex_core.library.exports import Exports
from heimdex_core.settings import Settings
from heimdex_core.types import ReelClip
from tests.support.frozen import SPOKEN, SUBTITLED, frozen_library

RED, YELLOW, BLUE = f"{SUBTITLED}_0_1000", f"{SUBTITLED}_1000_2000", f"{SPOKEN}_0_1000"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = frozen_library(tmp_path_factory.mktemp("reels") / "library")
    with Library.open(root, settings=Settings(profile="offline", min_free_bytes=0, max_reel_scenes=4)) as opened:
        yield opened


@pytest.fixture
def library(shared: Library) -> Iterator[Library]:
    yield shared
    shared.save_tray([])
    for reel in shared.reels.list():
        shared.reels.delete(reel.reel_id)


def clip_ids(library: Library, reel_id: str) -> list[str]:
    return [clip.clip_id for clip in library.reels.get(reel_id).clips]


def test_reels_are_made_found_renamed_duplicated_and_deleted(library: Library) -> None:
    first = library.reels.create(" Colours ", [RED, YELLOW, RED])
    assert (first.title, [clip.clip_id for clip in first.clips]) == ("Colours", [RED, YELLOW, f"{RED}#1"])
    second = library.reels.duplicate(first.reel_id)
    assert second.clips == first.clips
    with pytest.raises(InvalidValue, match="several"):
        library.reels.find("Colours")
    library.reels.rename(second.reel_id, "More")
    assert library.reels.find("Colours").reel_id == library.reels.find(first.reel_id).reel_id == first.reel_id
    assert {reel.title for reel in library.reels.list()} == {"Colours", "More"}
    library.reels.delete(first.reel_id)
    with pytest.raises(ReelNotFound):
        library.reels.edits(first.reel_id)
    assert [reel.title for reel in library.reels.list()] == ["More"]


def test_what_cannot_be_a_reel_is_refused(library: Library) -> None:
    for title, clips in (("", [RED]), ("a\nb", [RED]), ("x" * 201, [RED]), ("five", [RED] * 5)):
        with pytest.raises(InvalidReel):
            library.reels.create(title, clips)
    with pytest.raises(SceneNotFound):
        library.reels.create("gone", ["nonsense"])
    assert library.reels.list() == []


def test_each_reel_has_a_history_of_its_own(library: Library) -> None:
    one, other = library.reels.create("One", [RED]), library.reels.create("Other", [RED])
    edits = library.reels.edits(one.reel_id)
    edits.add(YELLOW, author="a")
    edits.trim(RED, 0.0, 1.5, author="a")
    assert library.reels.get(one.reel_id).clips[0].end_s == 1.5
    assert clip_ids(library, other.reel_id) == [RED]
    assert library.tray().clips == ()
    edits.undo(author="a")
    edits.undo(author="a")
    assert clip_ids(library, one.reel_id) == [RED]
    edits.redo(author="a")
    assert clip_ids(library, one.reel_id) == [RED, YELLOW]
    seen = library.reels.get(one.reel_id).revision
    edits.rename("Mine", made_on=seen, author="a")
    with pytest.raises(TrayConflict):
        edits.rename("Theirs", made_on=seen, author="b")


def test_saving_a_reel_is_one_change_that_can_be_undone(library: Library) -> None:
    reel = library.reels.create("One", [RED, YELLOW])
    library.reels.save(replace(reel, title="Two", clips=reel.clips[::-1]))
    assert (library.reels.get(reel.reel_id).title, clip_ids(library, reel.reel_id)) == ("Two", [YELLOW, RED])
    library.reels.edits(reel.reel_id).undo()
    assert (library.reels.get(reel.reel_id).title, clip_ids(library, reel.reel_id)) == ("One", [RED, YELLOW])


def test_opening_a_reel_loses_nothing_of_the_tray(library: Library) -> None:
    reel = library.reels.create("One", [RED])
    library.tray_edits.add(YELLOW)
    library.tray_edits.rename("Half done")
    assert [clip.clip_id for clip in library.reels.open(reel.reel_id).clips] == [RED]
    assert clip_ids(library, library.reels.find("Half done").reel_id) == [YELLOW]
    library.reels.open(reel.reel_id)
    assert len(library.reels.list()) == 2, "what is kept already is not kept again"
    assert [clip.clip_id for clip in library.tray_edits.undo().clips] == [YELLOW]


def test_reels_of_others_do_not_exist(library: Library) -> None:
    reel = library.reels.create("One", [RED])
    other = library.as_user("someone")
    assert other.reels.list() == []
    for call in (other.reels.get, other.reels.delete, other.reels.open, other.reels.edits):
        with pytest.raises(ReelNotFound):
            call(reel.reel_id)


def test_a_repaired_library_has_its_reels_and_their_history(tmp_path: Path) -> None:
    root = frozen_library(tmp_path / "library")
    settings = Settings(profile="offline", min_free_bytes=0)
    with Library.open(root, settings=settings) as opened:
        reel = opened.reels.create("One", [RED])
        opened.reels.edits(reel.reel_id).duplicate(RED)
    (root / "catalog.duckdb").write_bytes(b"damaged")
    Library.repair(root, settings=settings)
    with Library.open(root, settings=settings) as opened:
        assert clip_ids(opened, reel.reel_id) == [RED, f"{RED}#1"]
        opened.reels.edits(reel.reel_id).undo()
        assert clip_ids(opened, reel.reel_id) == [RED]


def test_a_waveform_is_kept(library: Library) -> None:
    found = library.waveform(SPOKEN, 0.0, 1.0, 16)
    assert len(found) == 16
    assert 0 < max(found) <= 1
    assert all(value >= 0 for value in found)
    assert len(list((library.path / "cache" / "sprites" / SPOKEN).rglob("*.waveform.json"))) == 1
    assert library.waveform(SPOKEN, 0.0, 1.0, 16) == found
    for start_s, end_s, buckets in ((1.0, 1.0, 8), (0.0, 999.0, 8), (-1.0, 1.0, 8), (0.0, 1.0, 0)):
        with pytest.raises(InvalidValue):
            library.waveform(SPOKEN, start_s, end_s, buckets)


def test_words_and_pauses_of_scenes(library: Library) -> None:
    words = library.spoken_words(SUBTITLED, 0.0, 60.0)
    assert words, "the video has subtitles"
    assert [word.start_s for word in words] == sorted(word.start_s for word in words)
    start_s, end_s = library.snap(SUBTITLED, words[0].start_s + 0.01, words[0].end_s, "word")
    assert (start_s, end_s) == (words[0].start_s, words[0].end_s)
    pauses = library.pauses([RED], min_silence_s=0.05)
    kept = library.without_pauses([RED], keep=[pause.pause_id for pause in pauses], min_silence_s=0.05)
    assert [(clip.start_s, clip.end_s) for clip in kept] == [(0.0, 1.0)]


def test_captions_are_made_for_the_language_of_each_clip(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(Exports, "start", lambda self, export, **rest: export)

    def without_cues(words: object, *, language: str | None, **times: float) -> tuple[()]:
        asked.append(language)
        return ()

    monkeypatch.setattr(reel_plan, "make_cues", without_cues)
    chosen = library.video(SUBTITLED).language
    library._store.set_params(SUBTITLED, language="ko")
    gone = ReelClip(SUBTITLED, 0.2, 0.4, 0.2, 0.4)  # no scene of today is like its own
    library.reel([YELLOW, BLUE, gone], captions="plain", skip_failed=True)
    library._store.set_params(SUBTITLED, language=chosen)
    assert asked == ["en", "en", "ko"], "what was heard comes first"


def test_a_reel_as_a_timeline_is_its_edit(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "edit.edl"
    text = library.reel([RED, BLUE], timeline="edl", title="Colours", out=out)
    assert text == library.timeline([RED, BLUE], "edl", title="Colours") == out.read_text(encoding="utf-8")
    assert "TITLE: Colours" in text


def test_a_timeline_names_the_folders_of_the_server_to_admins_only(tmp_path: Path) -> None:
    settings = Settings(profile="offline", min_free_bytes=0, admins=("mina@example.com",))
    with Library.open(frozen_library(tmp_path / "library"), settings=settings) as library:
        assert f"{library.path}/videos/{SUBTITLED}/source.mp4" in library.timeline([RED], "edl")
        users = {}
        for name in ("mina", "jun"):
            address = f"{name}@example.com"
            users[name] = library.as_user(library.accounts.sign_in("https://login", name, address, True, name).user_id)
            library.sharing.share("video", SUBTITLED, address, "read")
        filename = library.video(SUBTITLED).filename
        for format in ("otio", "edl", "fcpxml", "csv"):
            for admin in (users["mina"], library.as_operator()):
                assert f"/videos/{SUBTITLED}/" in admin.timeline([RED], format)
            for member in (users["jun"], library):
                text = member.timeline([RED], format)
                assert f"videos/{SUBTITLED}" not in text
                assert str(tmp_path) not in text
                assert filename in text
