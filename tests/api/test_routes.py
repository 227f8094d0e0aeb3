"""What each route answers to a user who may ask it."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from heimdex_core.files import write_json
from heimdex_core.types import ExportState, StageProgress, VideoState, utc_now
from tests.api.conftest import SCENE, Api
from tests.support.frozen import SPOKEN, SUBTITLED, WAITING


def ids(page: Any, name: str = "video_id") -> list[str]:
    return [item[name] for item in page.json()["items"]]


# --- videos ---------------------------------------------------------------------------------------


def test_videos_are_listed_page_by_page(api: Api) -> None:
    every = ids(api.get("/videos"))
    assert set(every) == {SPOKEN, SUBTITLED, WAITING}
    first = api.get("/videos", params={"limit": 2})
    second = api.get("/videos", params={"limit": 2, "cursor": first.json()["next_cursor"]})
    assert ids(first) + ids(second) == every
    assert second.json()["next_cursor"] is None
    assert ids(api.get("/videos", params={"state": "indexed"})) == [one for one in every if one != WAITING]
    no_zone, not_text = '["2026-11-27T10:00:00", "a"]', '["2026-11-27T10:00:00+00:00", 1]'
    made_up = [base64.urlsafe_b64encode(text.encode()).decode() for text in (no_zone, not_text, '["x", "a"]', '["a"]')]
    for wrong in ("x", "W10", "bnVsbA", "/", *made_up):
        assert api.get("/videos", params={"cursor": wrong}).json()["code"] == "INVALID_VALUE"


def test_a_page_goes_on_where_the_last_video_of_the_page_before_has_gone(api: Api) -> None:
    every = ids(api.get("/videos"))
    cursor = api.get("/videos", params={"limit": 1}).json()["next_cursor"]
    assert api.ask("DELETE", f"/videos/{every[0]}").json()["state"] == "deleted"
    assert ids(api.get("/videos", params={"cursor": cursor})) == every[1:]
    assert api.post(f"/videos/{every[0]}/restore").status_code == 200
    assert ids(api.get("/videos")) == every


def test_an_etag_saves_the_answer_and_protects_a_change(api: Api) -> None:
    first = api.get(f"/videos/{SUBTITLED}")
    tag = first.headers["etag"]
    assert api.get(f"/videos/{SUBTITLED}", headers={"If-None-Match": tag}).status_code == 304
    assert api.get(f"/videos/{SUBTITLED}", headers={"If-None-Match": f'"x", W/{tag}'}).status_code == 304
    renamed = api.ask("PATCH", f"/videos/{SUBTITLED}", json={"title": "바다"}, headers={"If-Match": tag})
    assert (renamed.status_code, renamed.json()["title"]) == (200, "바다")
    late = api.ask("PATCH", f"/videos/{SUBTITLED}", json={"title": "no"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "PRECONDITION_FAILED")
    assert api.get(f"/videos/{SUBTITLED}", headers={"If-None-Match": tag}).json()["title"] == "바다"
    now = renamed.headers["etag"]
    assert api.ask("PATCH", f"/videos/{SUBTITLED}", json={}, headers={"If-Match": now}).status_code == 200


def test_a_video_is_indexed_again_and_cancelled(api: Api) -> None:
    asked = api.post(f"/videos/{SPOKEN}/reindex", {"language": "en"})
    assert (asked.status_code, asked.json()["state"], asked.json()["language"]) == (202, "processing", "en")
    assert api.queue.jobs[-1] == ("ingest", SPOKEN)
    assert api.post(f"/videos/{SPOKEN}/cancel").json()["state"] == "indexed"
    assert api.post(f"/videos/{WAITING}/cancel").json()["error"]["code"] == "CANCELLED"
    assert api.post(f"/videos/{WAITING}/retry").json()["state"] == "validating"
    assert api.post(f"/videos/{SPOKEN}/reindex", {"params": {"no_such": 1}}).json()["code"] == "UNKNOWN_NAME"


def test_status_and_events(api: Api) -> None:
    assert api.get(f"/videos/{SUBTITLED}/status").json() == {
        "video_id": SUBTITLED, "state": "indexed", "progress": None, "error": None,
    }  # fmt: skip
    stream = api.get(f"/videos/{SUBTITLED}/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.text.startswith("event: done\n")
    assert '"state":"indexed"' in stream.text
    assert api.get("/videos/none/events").status_code == 404
    progress = StageProgress("speech", 2, 9, 1.0, 4.0, None, utc_now().isoformat(), overall=0.5)
    path = api.library._store.paths.work(WAITING) / "progress.json"
    write_json(path, {"shown": progress, "stages": {}})
    assert api.get(f"/videos/{WAITING}/status").json()["progress"]["overall"] == 0.5


def test_a_stream_sends_each_change_once_and_then_that_it_is_over(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    real = api.library.video(SUBTITLED)
    # the first look is that for the video itself, before the stream begins
    states = iter(["validating", "validating", "validating", "processing", "indexed"])
    monkeypatch.setattr(api.library, "video", lambda video_id: replace(real, state=VideoState(next(states))))
    monkeypatch.setattr(api.library, "progress", lambda video_id: None)
    text = api.get(f"/videos/{SUBTITLED}/events").text
    events = [line for line in text.splitlines() if line.startswith("event:")]
    assert events == ["event: progress", "event: progress", "event: done"]


def test_a_stream_ends_when_its_token_is_revoked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token, api.tokens["short-lived"] = api.library.accounts.make_token("stream", ["read"])
    looks: list[str] = []

    def progress(video_id: str) -> None:
        looks.append(video_id)
        if len(looks) == 2:
            api.library.accounts.revoke_token(token.token_id)

    monkeypatch.setattr(api.library, "progress", progress)
    text = api.get(f"/videos/{WAITING}/events", "short-lived").text
    events = [line for line in text.splitlines() if line.startswith("event:")]
    assert events == ["event: progress", "event: error"]
    assert "TOKEN_INVALID" in text
    assert len(looks) == 2


def test_a_stream_ends_after_its_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.services, "stream_s", 0.0)
    assert api.get(f"/videos/{SUBTITLED}/events").text == ""


def test_scenes_of_a_video_have_their_pictures(api: Api) -> None:
    found = api.get(f"/videos/{SUBTITLED}/scenes").json()["items"]
    assert [one["scene_id"] for one in found] == [SCENE, f"{SUBTITLED}_1000_2000"]
    picture = api.client.get(found[0]["thumbnail"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/webp")
    first = api.get(f"/videos/{SUBTITLED}/scenes", params={"limit": 1}).json()
    more = api.get(f"/videos/{SUBTITLED}/scenes", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert (more["items"], more["next_cursor"]) == ([found[1]], None)
    for wrong in ('["a"]', f'["{SCENE}", "a"]', "[1]", "[null]"):
        cursor = base64.urlsafe_b64encode(wrong.encode()).decode()
        answer = api.get(f"/videos/{SUBTITLED}/scenes", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_VALUE")


def test_what_is_said_and_where_it_is_watched(api: Api) -> None:
    lines = api.get(f"/videos/{SUBTITLED}/transcript").json()["items"]
    assert len(lines) == 2
    assert lines[0]["text"]
    link = api.get(f"/videos/{SUBTITLED}/preview").json()
    part = api.client.get(link["url"], headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.content), part.headers["content-type"]) == (206, 10, "video/mp4")
    assert api.client.head(link["url"]).status_code == 200


# --- scenes and search ----------------------------------------------------------------------------


def test_a_scene_its_neighbours_and_its_preview(api: Api) -> None:
    scene = api.get(f"/scenes/{SCENE}").json()
    assert (scene["start_s"], scene["end_s"], scene["video_id"]) == (0.0, 1.0, SUBTITLED)
    beside = api.get(f"/scenes/{SCENE}/neighbours").json()
    assert (beside["before"], [one["index"] for one in beside["after"]]) == ([], [1])
    back = api.get(f"/scenes/{SUBTITLED}_1000_2000/neighbours", params={"after": 0}).json()
    assert ([one["index"] for one in back["before"]], back["after"]) == ([0], [])
    preview = api.get(f"/scenes/{SCENE}/preview").json()
    assert (preview["start_s"], preview["end_s"]) == (0.0, 1.0)
    assert preview["url"].endswith("#t=0.000,1.000")


def test_search_takes_what_a_query_has(api: Api) -> None:
    body = {"text": "sea", "weights": {"lexical": 1.0}, "videos": [SUBTITLED], "facets": True, "limit": 1}
    found = api.post("/search", body).json()
    assert (found["hits"][0]["scene_id"], found["query"]) == (SCENE, "sea")
    assert found["facets"]["video_ids"] == {SUBTITLED: found["total"]}
    assert api.client.get(found["hits"][0]["thumbnail"]).status_code == 200
    again = api.post("/search", {**body, "view_token": found["view_token"], "offset": 1}).json()
    assert SCENE not in [hit["scene_id"] for hit in again["hits"]]
    listed = api.post("/search", {"filters": {"video_ids": [SUBTITLED]}, "sort": "time"}).json()
    assert [hit["start_s"] for hit in listed["hits"]] == [0.0, 1.0]
    then = {"text": "flowers", "within_s": 5.0}
    followed = api.post("/search", {"text": "sea", "weights": {"lexical": 1.0}, "then": then}).json()
    assert [(hit["scene_id"], hit["then"]) for hit in followed["hits"]] == [(SCENE, f"{SUBTITLED}_1000_2000")]


def test_search_by_scene_and_by_picture(api: Api) -> None:
    like = api.post("/search", {"example": {"scene_ids": [SCENE]}, "collapse": False}).json()
    assert SCENE not in [hit["scene_id"] for hit in like["hits"]]
    picture = io.BytesIO()
    Image.new("RGB", (64, 36), "red").save(picture, "JPEG")
    encoded = base64.b64encode(picture.getvalue()).decode()
    assert api.post("/search", {"example": {"image": encoded}}).json()["total"] > 0
    refused = api.post("/search", {"example": {"image": "no base64"}})
    assert (refused.status_code, refused.json()["details"]["name"]) == (422, "example.image")
    none = api.post("/search", {"example": {"image": base64.b64encode(b"text").decode()}})
    assert none.json()["code"] == "NOT_AN_IMAGE"


def test_search_options_are_those_of_the_library(api: Api) -> None:
    found = api.get("/search/options").json()
    assert found["channels"][:2] == ["transcript", "vision"]
    assert found["fusion"] in found["fusions"]


# --- shorts, highlights, exports ------------------------------------------------------------------


def test_a_short_is_queued_and_cancelled(api: Api) -> None:
    made = api.post("/shorts", {"scene_id": SCENE, "strategy": "letterbox", "trim": [0.0, 0.5]})
    export = made.json()
    assert (made.status_code, export["kind"], export["state"], export["out"]) == (202, "short", "pending", None)
    assert made.headers["location"] == f"/api/v1/exports/{export['export_id']}"
    assert api.queue.jobs[-1] == ("export", export["export_id"])
    assert api.get("/shorts/allowance").json()["used"] == 1
    assert api.get(f"/exports/{export['export_id']}/status").json()["progress"] is None
    assert api.post(f"/exports/{export['export_id']}/cancel").json()["state"] == "cancelled"
    assert "event: done" in api.get(f"/exports/{export['export_id']}/events").text
    gone = api.get(f"/exports/{export['export_id']}/file")
    assert (gone.status_code, gone.json()["code"]) == (404, "EXPORT_NOT_FOUND")


def test_a_short_with_captions_and_a_crop_path(api: Api) -> None:
    cue = {"start_s": 0.0, "end_s": 0.5, "text": "배", "words": [{"start_s": 0.0, "end_s": 0.5, "text": "배"}]}
    body = {
        "scene_id": SCENE, "strategy": "smart_crop", "captions": "plain", "cues": [cue],
        "crop_path": [{"time_s": 0.0, "x": 0.5}],
    }  # fmt: skip
    made = api.post("/shorts", body)
    assert made.status_code == 202, made.json()
    assert made.json()["params"]["crop_path"]["keyframes"][0]["x"] == 0.5


def test_highlights_are_made_of_clips_and_scenes(api: Api) -> None:
    body = {"clips": [SCENE, {"scene_id": SCENE, "start_s": 0.5, "end_s": 1.5}], "title": "둘", "aspect": "1:1"}
    export = api.post("/highlights", body).json()
    assert [(clip["start_s"], clip["end_s"]) for clip in export["clips"]] == [(0.0, 1.0), (0.5, 1.5)]
    assert (export["kind"], export["title"], export["params"]["aspect"]) == ("reel", "둘", "1:1")
    text = api.post("/timelines", {"clips": [SCENE], "format": "csv"}).json()["text"]
    assert text.count("\n") == 2
    assert api.post("/highlights", {"clips": []}).status_code == 422


def test_exports_are_listed_page_by_page(api: Api) -> None:
    for title in ("one", "two", "three"):
        assert api.post("/highlights", {"clips": [SCENE], "title": title}).status_code == 202
    every = ids(api.get("/exports"), "export_id")
    first = api.get("/exports", params={"limit": 2})
    assert ids(first, "title") == ["three", "two"]
    rest = api.get("/exports", params={"cursor": first.json()["next_cursor"]})
    assert (ids(rest, "export_id"), rest.json()["next_cursor"]) == (every[2:], None)


def test_a_completed_export_has_a_link_to_its_file(api: Api) -> None:
    export_id = api.post("/highlights", {"clips": [SCENE], "title": "a/b"}).json()["export_id"]
    store = api.library._store
    path = store.paths.export("local", export_id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"movie")
    store.exports.update(export_id, path=store.paths.relative(path), state=ExportState.COMPLETED, size_bytes=5)
    link = api.get(f"/exports/{export_id}/file").json()
    answer = api.client.get(link["url"])
    assert answer.content == b"movie"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert api.client.get(api.get(f"/exports/{export_id}").json()["out"]).status_code == 200
    assert api.ask("DELETE", f"/exports/{export_id}").json()["out"] is None
    assert api.get(f"/exports/{export_id}/file").status_code == 410


# --- evaluation -----------------------------------------------------------------------------------


def test_judgements_and_runs(api: Api) -> None:
    made = api.post("/judgements", {"text": "red", "scene_id": SCENE, "grade": 3, "reason": "it is"})
    assert (made.status_code, made.json()["scene_id"], made.json()["grade"]) == (201, SCENE, 3)
    assert ids(api.get("/judgements", params={"query": "red"}), "grade") == [3]
    other = api.post("/judgements", {"text": "sea", "scene_id": SCENE, "grade": 1}).json()
    first = api.get("/judgements", params={"limit": 1})
    second = api.get("/judgements", params={"limit": 1, "cursor": first.json()["next_cursor"]})
    assert (ids(first, "query") + ids(second, "query"), second.json()["next_cursor"]) == (["red", "sea"], None)
    assert api.ask("DELETE", f"/judgements/{other['judgement_id']}").status_code == 204
    run = api.post("/runs", {"query_set": "default", "weights": {"lexical": 1.0}, "name": "words"})
    assert (run.status_code, run.json()["name"], run.json()["query_set"]) == (201, "words", "default")
    assert ids(api.get("/runs"), "run_id") == [run.json()["run_id"]]
    assert api.get("/runs/words").json() == run.json()
    newer = api.post("/runs", {"query_set": "default", "weights": {"lexical": 0.5}}).json()
    page = api.get("/runs", params={"limit": 1}).json()
    assert [one["run_id"] for one in page["items"]] == [newer["run_id"]]
    assert api.ask("DELETE", f"/runs/{newer['run_id']}").status_code == 204
    page = api.get("/runs", params={"cursor": page["next_cursor"]}).json()
    assert (page["items"], page["next_cursor"]) == ([run.json()], None)
    assert api.ask("DELETE", "/runs/words").status_code == 204
    assert api.get("/runs/words").json()["code"] == "UNKNOWN_NAME"
    assert api.ask("DELETE", f"/judgements/{made.json()['judgement_id']}").status_code == 204
    assert ids(api.get("/judgements"), "grade") == []


# --- the rest -------------------------------------------------------------------------------------


def test_health_docs_and_me(api: Api) -> None:
    assert api.get("/health", who=None).json()["status"] == "ok"
    page = api.get("/docs", who=None)
    assert page.status_code == 200
    assert "/videos/{video_id}/restore" in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<code>limit</code> (query) integer from 1 to 200 items at most" in page.text
    assert '<a href="#UploadBody">UploadBody</a>' in page.text
    assert '<ul id="UploadBody">' in page.text
    assert 'array of <a href="#Upload">Upload</a>' in page.text
    assert api.client.get("/api/v1").url.path == "/api/v1/docs"
    assert api.get("/openapi.json", who=None).json()["info"]["title"] == "Heimdex Workbench"
    me = api.get("/me").json()
    assert (me["user_id"], me["scopes"], me["role"]) == ("local", ["read", "write", "admin"], "admin")
