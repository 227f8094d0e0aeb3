"""People over the HTTP API, by the Python client."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from heimdex_core.client import Client
from heimdex_core.errors import FaceModelsMissing, FaceNotFound, InvalidValue, PersonNotFound, UnknownName
from tests.api.conftest import SCENE, Api, make_api
from tests.api.test_matrix import named_people
from tests.support.frozen import SUBTITLED


@pytest.fixture(scope="module")
def own_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = make_api(tmp_path_factory.mktemp("people") / "library")
    yield made
    made.library.close()


def test_people(own_api: Api, tmp_path: Path) -> None:
    ids = named_people(own_api)
    people = Client("http://localhost", own_api.tokens["owner"], own_api.client).people
    assert [(one.name, one.faces, one.photos) for one in people.all()] == [("Anna", 1, 0), ("Ben", 0, 1)]
    page = own_api.get("/people", params={"limit": 1}).json()
    assert [one["name"] for one in page["items"]] == ["Anna"]
    page = own_api.get("/people", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert ([one["name"] for one in page["items"]], page["next_cursor"]) == (["Ben"], None)
    assert [one.name for one in own_api.library.people.all(after=("ANNA", "~"))] == ["Ben"], "in any case"
    assert own_api.library.people.all(after=("Ben", "~")) == own_api.library.people.all(limit=0) == []
    anna = people.get(ids["person_id"])
    assert (anna.best_face, anna.confirmed) == (ids["face_id"], 1)
    assert [face.name for face in people.faces(SCENE)] == ["Anna", None]
    assert [face.face_id for face in people.faces_of(anna.person_id)] == [ids["face_id"]]
    picture = own_api.get(f"/faces/{ids['face_id']}/picture")
    assert (picture.headers["content-type"], Image.open(BytesIO(picture.content)).format) == ("image/webp", "WEBP")
    (group,) = people.unnamed()
    assert (group.cluster_id, group.videos) == (ids["cluster_id"], 1)
    cara = people.name(group.cluster_id, "Cara")
    assert people.rename(cara.person_id, "Cara Kim").name == "Cara Kim"
    assert people.refuse(cara.person_id, [ids["cluster_id"]]).faces == 0
    assert people.assign(cara.person_id, [ids["cluster_id"]]).faces == 1
    assert people.merge(anna.person_id, cara.person_id).faces == 2
    dora = people.split(anna.person_id, [ids["cluster_id"]], "Dora")
    assert people.remove(dora.person_id) == {"faces": 1, "photos": 0, "videos": 1}
    with pytest.raises(PersonNotFound):
        people.get(dora.person_id)
    with pytest.raises(FaceNotFound):
        people.remove_faces([ids["cluster_id"]])
    assert people.remove_faces([ids["face_id"]]) == {"faces": 1, "photos": 0, "videos": 1}
    assert people.faces(SCENE) == []


def test_a_search_for_faces_is_followed_and_cancelled(own_api: Api) -> None:
    client = Client("http://localhost", own_api.tokens["owner"], own_api.client)
    scan = client.people.find_faces([SUBTITLED], again=True)
    assert (scan.state, scan.is_over, own_api.queue.jobs[-1]) == ("waiting", False, ("faces", scan.scan_id))
    headers = {"Idempotency-Key": "once"}
    first, second = (own_api.post("/face-scans", {"again": True}, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()["scan_id"]) == (202, scan.scan_id)
    assert first.headers["location"] == f"/api/v1/face-scans/{scan.scan_id}"
    assert second.headers["idempotency-replayed"] == "true"
    assert client.people.get_scan(scan.scan_id) == scan
    with pytest.raises(UnknownName):
        client.people.cancel_scan("another")
    assert client.people.cancel_scan(scan.scan_id).state == "cancelled"
    over = client.people.wait(scan.scan_id)
    assert (over.state, over.error and over.error.code) == ("cancelled", "CANCELLED")
    assert own_api.post("/face-scans", {"video_ids": ["none"]}).status_code == 404


def test_photos(own_api: Api, tmp_path: Path) -> None:
    people = Client("http://localhost", own_api.tokens["owner"], own_api.client).people
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    with pytest.raises(FaceModelsMissing):
        people.enrol("Zoe", [tmp_path / "a.png"])
    with pytest.raises(InvalidValue):
        people.enrol("Zoe")
    answer = own_api.post("/people", {"name": "Zoe", "photos": ["no base64 !"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_VALUE")


def test_turned_off(own_api: Api) -> None:
    assert own_api.ask("PUT", "/people-status", json={"is_on": False}).json()["is_on"] is False
    assert own_api.get("/face-groups").status_code == 403
    assert own_api.get("/people").json()["items"] == []
    assert own_api.ask("PUT", "/people-status", json={"is_on": True}).json()["note"] == "no_models"
