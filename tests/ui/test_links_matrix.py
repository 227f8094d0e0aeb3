"""Every kind of signed link as the owner of what it names, a reader by share, another user, and nobody.

The table of docs/security.md is what this test finds. Uploads straight to object storage are tried in a library there.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api.app import create_app
from heimdex_core.api.links import Links, ShortFrame
from heimdex_core.api.mounting import api_routes
from heimdex_core.api.services import Services
from heimdex_core.library import Library
from heimdex_core.settings import Settings, get_settings
from tests.api.conftest import Queue
from tests.support.drawn_faces import add_video, picture, put_small_models
from tests.support.frozen import SPOKEN, SUBTITLED, frozen_library
from tests.support.object_storage import TestBucket
from ui import identity, resources
from ui.server.faces import FaceServer
from ui.server.files import FileServer
from ui.server.short_frames import ShortFrameServer
from ui.server.sprites import SpriteServer
from ui.server.upload import UploadServer

SECURITY = Path(__file__).resolve().parents[2] / "docs" / "security.md"
USERS = ("owner", "reader", "other", "deleted user", "nobody")
OWN_UPLOAD = "an upload to object storage"
PART, OTHER_BYTES = "the storage, with that link", "the storage, with that link and other bytes"
HEADING = "| link to | owner | reader by share | other user | deleted user | not signed |"


@dataclass
class Links4Users:
    """The server of one library with its users."""

    library: Library
    links: Links
    client: TestClient
    ids: dict[str, str]

    def token(self, user: str, url: Callable[[str], str]) -> str:
        """The address of a link for a user; of nobody, one that somebody has made up."""
        made = url(self.ids[user])
        if user == "nobody":
            path, _, token = made.rpartition("/")
            return f"{path}/{token[:-3]}{'AAA' if not token.endswith('AAA') else 'BBB'}"
        return made

    def upload(self, user: str, part: str, **headers: str) -> httpx2.Response:
        token = self.token(user, lambda user_id: self.links.upload_token(user_id, "en"))
        sent = {"X-Upload-Token": token, "X-Part": part, "Origin": "http://testserver", **headers}
        return self.client.post("/upload", headers=sent)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Links4Users]:
    root = frozen_library(tmp_path_factory.mktemp("links") / "library")
    patch = pytest.MonkeyPatch()
    put_small_models(root.parent / "models", patch)
    with Library.open(root, settings=Settings(models_dir=root.parent / "models")) as library:
        faces = add_video(library, "faces", [picture((1, 16, 24))])
        library.people.find_faces()

        def sign_in(name: str) -> str:
            return library.accounts.sign_in("https://id.example", name, f"{name}@example.com", True, name).user_id

        ids = {"owner": library.user_id, "nobody": library.user_id}
        ids |= {name: sign_in(name) for name in ("reader", "other")}
        ids["deleted user"] = sign_in("deleted")
        for name, video_id in product(("reader", "deleted user"), (SUBTITLED, faces.video_id)):
            library.sharing.share("video", video_id, ids[name])
        library.people.as_operator().turn_on()
        library.accounts.as_operator().delete_user(ids["deleted user"])
        patch.setattr(resources, "process_library", lambda: library)
        patch.setattr(identity, "is_configured", lambda: False)
        links = Links("secret of the test", root, file_ttl_s=3600, upload_ttl_s=900)
        app = Starlette(
            routes=[
                Route("/files/{token}", FileServer(links, None, resources.library_for).serve),
                Route("/sprites/{token}", SpriteServer(links, resources.library_for).serve),
                Route("/short-frames/{token}", ShortFrameServer(links, resources.library_for).serve),
                Route("/faces/{token}", FaceServer(links, resources.library_for).serve),
                Route("/upload", UploadServer(links, resources.library_for).receive, methods=["POST"]),
            ]
        )
        yield Links4Users(library, links, TestClient(app), ids)
    patch.undo()
    get_settings.cache_clear()


def statuses(server: Links4Users) -> dict[str, list[int]]:
    """The status of each kind of link for each of USERS."""
    library, links = server.library, server.links
    scene = library.scenes(SUBTITLED)[0]
    video = library.playable_path(library.video(SUBTITLED))
    frame = library.frame_path(scene)
    face = library.people.unnamed()[0].faces[0]
    file = library.path / "exports" / library.user_id / "reel.mp4"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"a film")
    assert video
    assert frame

    def get(url: Callable[[str], str]) -> list[int]:
        return [server.client.get(server.token(user, url)).status_code for user in USERS]

    owners = server.upload("owner", "open", **{"X-File-Name": "a.mp4", "X-File-Size": "9"}).json()
    return {
        "the file of a video": get(lambda user: links.file_url(video, user)),
        "a keyframe of a video": get(lambda user: links.file_url(frame, user)),
        "an export, to watch": get(lambda user: links.file_url(file, user)),
        "an export, to download": get(lambda user: links.file_url(file, user, download_name="reel.mp4")),
        "the sprite of a scene": get(lambda user: links.sprite_url(scene.scene_id, 0, user)),
        "the still of a scene": get(lambda user: links.sprite_url(scene.scene_id, 0, user, "still")),
        "the waveform of a scene": get(lambda user: links.sprite_url(scene.scene_id, 0, user, "sound")),
        "a picture of a short": get(
            lambda user: links.short_frame_url(ShortFrame(scene.scene_id, "center_crop", 0.5, None, user))
        ),
        "the picture of a face": get(lambda user: links.face_url(face.face_id, user)),
        "an upload to one's own library": [
            server.upload(user, "open", **{"X-File-Name": "b.mp4", "X-File-Size": "9"}).status_code for user in USERS
        ],
        "the unfinished upload of the owner": [
            server.upload(user, "discard", **{"X-Upload": owners["upload"]}).status_code
            for user in reversed(USERS)  # the owner last: then it is gone
        ][::-1],
    }


@dataclass
class StorageLinks(Links4Users):
    """The same of a library in object storage, with the API and the tokens of the users."""

    tokens: dict[str, str]

    def bearer(self, user: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[user]}"} if user in self.tokens else {}

    def ask(self, user: str, method: str, path: str, json: object = None) -> int:
        return self.client.request(method, f"/api/v1{path}", headers=self.bearer(user), json=json).status_code

    def begin(self, filename: str, size_bytes: int) -> str:
        """The path of an upload that the owner has begun in the API."""
        body = {"filename": filename, "size_bytes": size_bytes}
        answer = self.client.post("/api/v1/uploads", json=body, headers=self.bearer("owner"))
        return f"/uploads/{answer.json()['upload_id']}"


@pytest.fixture
def stored(s3: TestBucket, database: str, tmp_path: Path) -> Iterator[StorageLinks]:
    settings = get_settings().model_copy(update={"cache": tmp_path / "cache", "min_free_bytes": 0})
    with Library.open(s3.url, profile="offline", settings=settings) as library:
        of = {}
        for name in ("owner", "reader", "other", "deleted user"):
            user = library.accounts.sign_in("https://id.example", name, None, False, name)
            of[name] = library.as_user(user.user_id)
        tokens = {name: one.accounts.make_token("test", ["read", "write"])[1] for name, one in of.items()}
        collection = of["owner"].sharing.make_collection("uploads").collection_id
        of["owner"].sharing.share("collection", collection, of["reader"].user_id, "write")
        library.accounts.as_operator().delete_user(of["deleted user"].user_id)
        library.queue = Queue()
        ids = {name: one.user_id for name, one in of.items()}
        links = Links("secret of the test", library.path, file_ttl_s=3600, upload_ttl_s=900)
        services = Services(lambda: library, lambda: links)
        upload = Route("/upload", UploadServer(links, services.library_of_link).receive, methods=["POST"])
        client = TestClient(Starlette(routes=[*api_routes(create_app(services)), upload]))
        yield StorageLinks(library, links, client, ids | {"nobody": ids["owner"]}, tokens)


def statuses_in_storage(stored: StorageLinks, content: bytes) -> dict[str, list[int]]:
    """What `statuses` finds, of uploads past the app: of a video with this content."""
    md5 = base64.b64encode(hashlib.md5(content).digest()).decode()  # noqa: S324 - what S3 compares with
    file = {"X-File-Name": "a.mp4", "X-File-Size": str(len(content))}
    opened = stored.upload("owner", "open", **file).json()
    named = {"X-Upload": opened["upload"]}
    part = {**named, "X-Number": "1", "X-Md5": md5}
    link = stored.upload("owner", "part", **part).json()
    by_id = [stored.begin("b.mp4", len(content)), stored.begin("c.mp4", len(content))]
    body = {"number": 1, "md5": md5}

    def put(user: str, sent: bytes) -> int:
        """What who has the link gets from the storage; nobody has made one up."""
        url = link["url"] if user != "nobody" else link["url"].replace("Signature=", "Signature=0")
        return httpx2.put(url, content=sent, headers=link["headers"]).status_code

    def last(ask: Callable[[str], int]) -> list[int]:
        """With the owner as the last one, as there is nothing left then."""
        return [ask(user) for user in reversed(USERS)][::-1]

    found = {
        OWN_UPLOAD: [stored.upload(user, "open", **file).status_code for user in USERS],
        "the owner's upload there, to get the link of a part": [
            stored.upload(user, "part", **part).status_code for user in USERS
        ],
        PART: [put(user, content) for user in USERS],
        OTHER_BYTES: [put(user, content[::-1]) for user in USERS],
        "the owner's upload there, to make a video of it": last(
            lambda user: stored.upload(user, "video", **named).status_code
        ),
        "an upload there by its id in the API, to get the link of a part": [
            stored.ask(user, "POST", f"{by_id[0]}/parts", json=body) for user in USERS
        ],
        "the same, to see what has arrived": [stored.ask(user, "GET", by_id[0]) for user in USERS],
    }
    url = stored.client.post(f"/api/v1{by_id[0]}/parts", json=body, headers=stored.bearer("owner")).json()
    assert httpx2.put(url["url"], content=content, headers=url["headers"]).status_code == 200
    left = {"X-Upload": stored.upload("owner", "open", **{**file, "X-File-Name": "d.mp4"}).json()["upload"]}
    return {
        **found,
        "the same, to make a video of it": last(lambda user: stored.ask(user, "POST", f"{by_id[0]}/complete", json={})),
        "the same, to discard it": last(lambda user: stored.ask(user, "DELETE", by_id[1])),
        "the owner's upload there, to discard it": last(
            lambda user: stored.upload(user, "discard", **left).status_code
        ),
    }


def table(found: dict[str, list[int]]) -> str:
    rows = [f"| {kind} | {' | '.join(map(str, row))} |" for kind, row in found.items()]
    return "\n".join((HEADING, "| --- " * (len(USERS) + 1) + "|", *rows))


def test_links_give_what_their_user_may_see(server: Links4Users, stored: StorageLinks) -> None:
    found = statuses(server)
    for kind, (owner, reader, other, deleted, nobody) in found.items():
        assert owner in (200, 206), kind
        assert deleted == nobody == 403, kind
        if kind == "an upload to one's own library":
            assert reader == other == 200
        elif "export" in kind or "upload" in kind:
            assert reader == other == 403, kind
        else:
            assert (reader, other) == (200, 404), kind
    (source,) = (server.library.path / "videos" / SPOKEN).glob("source.*")
    in_storage = statuses_in_storage(stored, source.read_bytes())
    for kind, (owner, *others) in in_storage.items():
        assert owner < 300 or kind == OTHER_BYTES, kind
        assert kind in (OWN_UPLOAD, PART, OTHER_BYTES) or min(others) > 400, kind
    found |= in_storage
    written = re.search(rf"{re.escape(HEADING)}\n(?:\|.*\n)+", SECURITY.read_text(encoding="utf-8"))
    assert written is not None
    assert written[0].strip() == table(found)


def test_a_share_that_ends_ends_its_links(server: Links4Users) -> None:
    path = server.library.playable_path(server.library.video(SUBTITLED))
    assert path
    url = server.links.file_url(path, server.ids["reader"])
    assert server.client.get(url).status_code == 200
    server.library.sharing.unshare("video", SUBTITLED, server.ids["reader"])
    assert server.client.get(url).status_code == 404
    server.library.sharing.share("video", SUBTITLED, server.ids["reader"])
    assert server.client.get(url).status_code == 200
