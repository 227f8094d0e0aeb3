"""The page People: what it shows, and the pictures of faces for links that are valid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api.links import Links
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import FaceScan, PeopleState, utc_now
from tests.support.drawn_faces import ANNA, BEN, LEFT, RIGHT, add_video, photo, picture, put_small_models
from tests.ui.fakes import Clock
from ui import resources
from ui.server.faces import FaceServer
from ui.views import people as views
from ui.views import scene as scene_views


@pytest.fixture
def lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    put_small_models(tmp_path / "models", monkeypatch)
    settings = Settings(models_dir=tmp_path / "models")
    made = Library.open(tmp_path / "library", profile="offline", settings=settings)
    add_video(made, "first", [picture((ANNA, *LEFT)), picture((ANNA, *LEFT), (BEN, *RIGHT), noise=1)])
    return made


def test_who_is_named_and_who_is_not(lib: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = Links("secret", lib.path, file_ttl_s=3600, upload_ttl_s=900)
    monkeypatch.setattr(resources, "links", lambda: links)
    lib.people.find_faces()
    anna = lib.people.enrol("Anna Kim", [photo(tmp_path / "anna.png", ANNA)])
    data = views.page(lib, anna.person_id)
    (person,) = data["people"]
    assert (person["name"], person["counts"]) == ("Anna Kim", "2 faces · 1 video · 1 photo")
    assert person["href"] == "/search?q=person%3A%22Anna+Kim%22"
    assert [face["by_hand"] for face in data["shown"]["faces"]] == [False, False]
    (group,) = data["clusters"]
    assert (len(group["faces"]), group["counts"]) == (1, "1 face · 1 video")
    assert views.page(lib, "gone")["shown"] is None
    of_anna, of_both = lib.scenes(lib.videos()[0].video_id)
    (section,) = scene_views._faces(lib, of_both, lib.people.faces(of_both.scene_id))
    assert section["more"] == {"href": "/people", "text": "Name people"}
    (section,) = scene_views._faces(lib, of_anna, lib.people.faces(of_anna.scene_id))
    assert section["more"] is None


def test_faces_are_removed_from_ones_own_videos_only(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    links = Links("secret", lib.path, file_ttl_s=3600, upload_ttl_s=900)
    monkeypatch.setattr(resources, "links", lambda: links)
    jun = lib.as_user(lib.accounts.sign_in("https://login", "jun", "jun@example.com", True, "Jun").user_id)
    lib.people.as_operator().turn_on()
    lib.people.find_faces()
    lib.sharing.share("video", lib.videos()[0].video_id, jun.user_id)
    of_anna, *_ = jun.people.unnamed()
    anna = jun.people.name(of_anna.cluster_id, "Anna")
    data = views.page(jun, anna.person_id)
    assert [face["removable"] for face in data["shown"]["faces"]] == [False, False]
    assert [group["removable"] for group in data["clusters"]] == [False]
    assert {group["removable"] for group in views.page(lib, None)["clusters"]} == {True}
    assert views.status(jun.people.state(), None).startswith("You have no videos of your own")


def test_pictures_of_faces(lib: Library) -> None:
    clock = Clock(0.0)
    links = Links("secret", lib.path, file_ttl_s=3600, upload_ttl_s=900, now=clock)
    lib.people.find_faces()
    face_id = lib.people.unnamed()[0].faces[0].face_id
    server = FaceServer(links, lib.as_user)
    client = TestClient(Starlette(routes=[Route("/faces/{token}", server.serve)]))
    answer = client.get(links.face_url(face_id, lib.user_id))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["cache-control"] == "private, max-age=60"
    assert client.get(links.face_url(face_id, "jun")).status_code == 404
    assert client.get(links.face_url("v1_0_1_2", lib.user_id)).status_code == 404
    assert client.get("/faces/made-up").status_code == 403
    of_sprite = links.sprite_url("s", 1, lib.user_id).rpartition("/")[2]
    assert client.get(f"/faces/{of_sprite}").status_code == 403
    url = links.face_url(face_id, lib.user_id)
    clock.at = 3 * 3600.0
    assert client.get(url).status_code == 410
    lib.people.remove_faces([face_id])
    assert client.get(links.face_url(face_id, lib.user_id)).status_code == 404


def test_how_far_it_is() -> None:
    found = PeopleState(True, None, videos=3, scanned=2, faces=1)
    assert views.status(found, None) == "Videos looked through: 2 of 3. 1 face."
    scan = FaceScan("s", "waiting", utc_now())
    assert views.status(found, scan) == "Faces will be looked for when the worker is free."
    running = replace(scan, state="running", total=3, skipped=1)
    assert views.status(found, running) == "Looking for faces: 1 of 3 videos"
    assert views.status(found, replace(running, state="cancelled")).startswith("Videos looked through: 2 of 3")
