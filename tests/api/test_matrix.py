"""Every route as every kind of user: the table under "Routes" in docs/security.md is what these requests find.

To write it anew: `python -m tests.api.test_matrix`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdex_core.store.faces import DIM, FaceTable, new_row
from heimdex_core.types import ExportState
from tests.api.conftest import SCENE, Api, make_api
from tests.support.frozen import SPOKEN, SUBTITLED

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
ROLES = ("owner", "reading token", "write share", "read share", "other", "nobody")
ORDER = ROLES[::-1]
"""Who may change things asks last."""

NEW_VIDEO = {"filename": "new.mp4", "size_bytes": 3}
BODIES: dict[str, Any] = {
    "POST /uploads": NEW_VIDEO,
    "POST /uploads/{upload_id}/parts": {"number": 1, "md5": "x" * 22 + "=="},
    "PATCH /videos/{video_id}": {"title": "A title"},
    "POST /search": {"filters": {"title": ""}, "text": "sea", "weights": {"lexical": 1.0}},
    "POST /shorts": {"scene_id": SCENE},
    "POST /highlights": {"clips": [SCENE]},
    "POST /timelines": {"clips": [SCENE], "format": "csv"},
    "POST /judgements": {"text": "sea", "scene_id": SCENE, "grade": 2},
    "POST /face-scans": {"video_ids": [SUBTITLED]},
    "POST /runs": {"query_set": "default", "weights": {"lexical": 1.0}},
    "PUT /people-status": {"is_on": True},
    "PATCH /people/{person_id}": {"name": "Anna Kim"},
    "POST /face-groups/{cluster_id}/name": {"name": "Zoe"},
}
DELETED_LAST = (
    "POST /faces/remove",
    "DELETE /people/{person_id}",
    "DELETE /uploads/{upload_id}",
    "DELETE /videos/{video_id}",
    "POST /videos/{video_id}/restore",
    "DELETE /shared-with-me/collections/{collection_id}",
    "DELETE /shared-with-me/videos/{video_id}",
)


@dataclass
class Owned:
    """Things of the owner that paths name."""

    api: Api
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        api = self.api
        judged = api.post("/judgements", {"text": "sea", "scene_id": SCENE, "grade": 3}).json()
        upload = api.post("/uploads", NEW_VIDEO).json()
        self.link = upload["content"]["url"].partition("?")[2]
        export_id = api.post("/highlights", {"clips": [SCENE]}).json()["export_id"]
        store = api.library._store
        path = store.paths.export("local", export_id)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"movie")
        store.exports.update(export_id, path=store.paths.relative(path), state=ExportState.COMPLETED)
        preview = api.get(f"/videos/{SUBTITLED}/preview").json()["url"]
        people = named_people(api)
        self.bodies = {
            **BODIES,
            "POST /people": {"name": "Somebody", "faces": [people["face_id"]]},
            "POST /people/{person_id}/merge": {"other_id": people.pop("other_id")},
            "POST /people/{person_id}/split": {"name": "Somebody else", "faces": [people["face_id"]]},
            "POST /people/{person_id}/faces": {"faces": [people["face_id"]]},
            "POST /faces/remove": {"faces": [people["cluster_id"]]},
        }
        self.ids = {
            **people,
            "video_id": SUBTITLED,
            "scan_id": api.library.people.find_faces(queue=True).scan_id,
            "scene_id": SCENE,
            "export_id": export_id,
            "judgement_id": judged["judgement_id"],
            "run": api.post("/runs", {"query_set": "default", "weights": {"lexical": 1.0}}).json()["run_id"],
            "upload_id": upload["upload_id"],
            "token": preview.rpartition("/")[2],
        }

    def ask(self, route: str, role: str) -> str:
        """What a user of this kind is answered, in the words of the table."""
        method, path = route.split(" ")
        for name, value in self.ids.items():
            path = path.replace(f"{{{name}}}", value)
        more: dict[str, Any] = {}
        if route == "PATCH /uploads/{upload_id}/content":
            path, more = f"{path}?{self.link}", {"content": b"", "headers": {"Upload-Offset": "0"}}
        elif method in ("POST", "PATCH", "PUT"):
            more = {"json": self.bodies.get(route, {})}
        answer = self.api.ask(method, path, None if role == "nobody" else role, **more)
        return self._words(route, answer)

    def _words(self, route: str, answer: Any) -> str:
        if answer.status_code in (401, 403, 404):
            return {401: "sign in", 403: "not allowed", 404: "not found"}[answer.status_code]
        # what cannot be done, such as completing an upload of which nothing has arrived, was allowed all the same
        assert answer.status_code < 500, answer.text
        if answer.status_code == 409 and answer.json()["code"] == "CLIPS_FAILED":
            return "not found"
        if "{" in route or (route in self.bodies and route != "POST /search"):
            return "yes"
        owned = [self.ids["export_id"]] if route == "GET /exports" else [SPOKEN, *self.ids.values()]
        return "yes" if any(one in answer.text for one in owned) else "own"


def named_people(api: Api) -> dict[str, str]:
    """Two people of the owner, the face of one of them in the scene, and a face that nobody has named."""
    api.library.people.as_operator().turn_on()
    store, scene = api.library._store, api.library.scene(SCENE)
    keyframe = scene.keyframes[0]
    rows = [
        new_row(
            SUBTITLED,
            keyframe.time_s,
            (scene.start_s, scene.end_s),
            (x, 0.2, 0.2, 0.2),
            keyframe=keyframe.file,
            score=0.9,
            landmarks=[0.5] * 10,
            vector=np.eye(DIM, dtype=np.float32)[number],
        )
        for number, x in enumerate((0.1, 0.6))
    ]
    made = FaceTable(SUBTITLED, api.library.video(SUBTITLED).generation or 1, "small models", tuple(rows))
    with store.catalog.transaction() as transaction:
        store.people.faces.replace(transaction, SUBTITLED, lambda _: made)
    first, second = (row.face_id for row in rows)
    people = api.library.people
    other_id = store.people.add("local", "Ben", [np.eye(DIM, dtype=np.float32)[5]])
    return {
        "person_id": people.enrol("Anna", faces=[first]).person_id,
        "other_id": other_id,
        "face_id": first,
        "cluster_id": second,
    }


def routes(api: Api) -> list[str]:
    """Every route of the description, "METHOD /path", in its order; those that remove something at the end."""
    paths = api.get("/openapi.json", None).json()["paths"]
    found = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    return [one for one in found if one not in DELETED_LAST] + [one for one in DELETED_LAST if one in found]


def table(api: Api) -> list[str]:
    """The rows of the table."""
    api.user("other")
    collection_id = api.library.sharing.make_collection("trip").collection_id
    for access in ("read", "write"):
        guest = api.user(f"{access} share")
        api.library.sharing.share("video", SUBTITLED, guest.user_id, access)
        api.library.sharing.share("collection", collection_id, guest.user_id, access)
    api.tokens["reading token"] = api.library.accounts.make_token("reads", ("read",))[1]
    api.services.stream_s = 0.0  # streams end at once
    owned = Owned(api)
    owned.ids["collection_id"] = collection_id
    rows = []
    for route in routes(api):
        found = {role: owned.ask(route, role) for role in ORDER}
        rows.append(f"| `{route}` | {' | '.join(found[role] for role in ROLES)} |")
    return sorted(rows, key=lambda row: (row.split(" ")[2], row))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    api = make_api(tmp_path_factory.mktemp("matrix") / "library")
    yield table(api)
    api.library.close()


def documented() -> list[str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = re.search(r"^## Routes\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert section, "docs/security.md has the heading Routes"
    return [line for line in section[1].splitlines() if line.startswith("| `")]


def test_every_route_is_in_the_table(api: Api) -> None:
    assert sorted(row.split("`")[1] for row in documented()) == sorted(routes(api))


@pytest.mark.long
def test_the_table_is_what_the_routes_answer(found: list[str]) -> None:
    assert documented() == found


@pytest.mark.long
def test_nobody_gets_an_answer_without_a_token_or_a_link(found: list[str]) -> None:
    answered = [row.split("`")[1] for row in found if not row.endswith("| sign in |")]
    assert answered == ["GET /files/{token}", "GET /health", "PATCH /uploads/{upload_id}/content"]


@pytest.mark.long
def test_what_is_the_owners_is_not_found_by_others(found: list[str]) -> None:
    others = {row.split("`")[1]: row.split(" | ")[5] for row in found}
    by_id = {route: words for route, words in others.items() if "{" in route}
    linked = {"GET /files/{token}", "PATCH /uploads/{upload_id}/content"}
    # whether there is a judgement of this id is not told to anybody
    silent = {"DELETE /judgements/{judgement_id}"}
    assert {route for route, words in by_id.items() if words != "not found"} == linked | silent


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(table(make_api(Path(folder) / "library"))))
