"""The card of a watched folder, and what the reel page says of clips that fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heimdex_core.errors import ClipsFailed, FolderNotWatchable, NotAVideo, RenderFailed, WatchedFolderMissing
from heimdex_core.types import (
    Export,
    ExportState,
    FolderReport,
    ReelClip,
    WaitingFile,
    WatchedFile,
    WatchedFolder,
    WatchStatus,
    utc_now,
)
from ui.i18n import describe_error
from ui.views.exports import note_texts, skip_label
from ui.views.watching import REFUSED_SHOWN, folder_card

FOLDER = WatchedFolder("f", "local", "/media/카메라", "/", utc_now())
CLIP = {"number": 2, "video_id": "v", "title": "바다", "start": "0:12.0", "end": "0:18.5"}


@pytest.fixture(autouse=True)
def language(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = getattr(request, "param", "en")
    monkeypatch.setattr("ui.state.language", lambda: chosen)


def refused(path: str) -> WatchedFile:
    name = path.rpartition("/")[2]
    error = NotAVideo(filename=name, reason="x").to_dict()
    return WatchedFile(path, 1, 1, 1, "", "refused", utc_now(), error=error)


def test_a_folder_that_is_watched() -> None:
    waiting = (WaitingFile("a.mp4", "unfinished"), WaitingFile("b.mp4", "queue"))
    status = WatchStatus("watching", utc_now(), files=9, waiting=2, next_files=waiting)
    counts: Any = {"added": 1, "duplicate": 2, "refused": REFUSED_SHOWN + 2}
    files = tuple(refused(f"{n}.mp4") for n in range(REFUSED_SHOWN + 2))
    card = folder_card(FolderReport(FOLDER, status, counts, files), may_change=True)
    assert card["title"] == "/media/카메라"
    assert card["text"] == "watching · 1 video added · 2 already in the library · 7 files cannot be used · 2 waiting"
    assert card["sub"] == "a.mp4 (still being written) · and 2 more files that cannot be used"
    assert [(one["title"], one["message"]) for one in card["problems"]][:1] == [("", "0.mp4 is not a video file.")]
    assert len(card["problems"]) == REFUSED_SHOWN
    assert [(one["name"], one["value"]) for one in card["actions"]] == [("retry", "f"), ("stop", "f")]
    assert card["tone"] == ""
    assert folder_card(FolderReport(FOLDER, status, counts, files), may_change=False)["actions"] == []


def test_a_file_in_a_subfolder_is_shown_with_its_path() -> None:
    report = FolderReport(FOLDER, None, {"refused": 1}, (refused("trip/a.mp4"),))
    card = folder_card(report, may_change=True)
    assert [(one["title"], one["message"]) for one in card["problems"]] == [
        ("trip/a.mp4", "a.mp4 is not a video file.")
    ]
    assert card["text"] == "not checked yet · 1 file cannot be used"


@pytest.mark.parametrize("language", ["ko"], indirect=True)
def test_a_folder_that_is_missing() -> None:
    error = WatchedFolderMissing(path="/media/카메라").to_dict()
    card = folder_card(FolderReport(FOLDER, WatchStatus("missing", utc_now(), error=error)), may_change=True)
    assert (card["text"], card["tone"]) == ("폴더 없음", "failed")
    assert card["problems"][0]["message"] == "감시 폴더를 찾을 수 없어요: /media/카메라"


# --- clips that fail ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("en", "The reel cannot be rendered. Clip 2 (“바다”, 0:12.0 to 0:18.5): the file of its video is missing."),
        ("ko", "릴을 렌더링할 수 없어요. 2번 클립(‘바다’ 0:12.0~0:18.5): 영상 파일이 없어요."),
    ],
)
def test_the_error_names_the_clip_in_both_languages(code: str, message: str) -> None:
    error = ClipsFailed(clips=[{**CLIP, "problem": "clip_file_missing", "detail": ""}])
    assert describe_error(error.to_dict(), code)[0] == message


def test_a_clip_without_a_title_and_a_problem_of_a_newer_core() -> None:
    clip = {**CLIP, "title": None, "problem": "clip_render_error", "detail": "Cannot allocate memory"}
    message = describe_error(ClipsFailed(clips=[clip, {**CLIP, "problem": "of_tomorrow"}]).to_dict(), "en")[0]
    assert "Clip 2 (0:12.0 to 0:18.5): ffmpeg cannot render it (Cannot allocate memory)." in message
    assert message.endswith("0:18.5): of_tomorrow")


def test_going_on_without_clips_is_offered_where_some_are_left() -> None:
    error = ClipsFailed(clips=[{**CLIP, "problem": "clip_undecodable"}]).to_dict()
    assert skip_label(error, 3) == "Render without this clip"
    assert skip_label(error, 1) == ""
    assert skip_label(RenderFailed(reason="x").to_dict(), 3) == ""
    assert skip_label(None, 3) == ""


def test_a_finished_reel_says_what_it_leaves_out() -> None:
    clips = (ReelClip("v", 0.0, 1.0, 0.0, 2.0),)
    left_out: Any = ({**CLIP, "problem": "clip_undecodable"},)
    export = Export("e", "local", "reel", "", ExportState.COMPLETED, clips, utc_now(), left_out=left_out)
    assert note_texts(export)[0].startswith("Left out: Clip 2 (“바다”, 0:12.0 to 0:18.5): the file is damaged there")
    noted = replace(export, left_out=(), params={"notes": ["frames_copied:2/3"]})
    assert note_texts(noted) == ["2 of 3 frames were copied, the others encoded."]
    pending = Export("e", "local", "reel", "", ExportState.PENDING, clips, utc_now(), left_out=left_out)
    assert note_texts(pending) == []


@pytest.mark.parametrize(("code", "end"), [("en", "/x cannot be watched: it is a file."), ("ko", "파일이에요.")])
def test_why_a_folder_cannot_be_watched_is_said_in_both_languages(code: str, end: str) -> None:
    error = FolderNotWatchable(path="/x", problem="folder_is_file").to_dict()
    assert describe_error(error, code)[0].endswith(end)
