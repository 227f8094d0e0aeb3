"""Deleting a user: first their data in a folder, then everything of theirs goes, and nothing of it comes back."""

from __future__ import annotations

import json
import uuid
from operator import attrgetter
from pathlib import Path

import pytest

from heimdex_core.errors import HeimdexError, InvalidValue, NotAllowed, TokenInvalid, UserNotFound, VideoNotFound
from heimdex_core.library import Library
from heimdex_core.types import Export, ExportState, StageProgress, WatchedFile, make_face_id, utc_now
from tests.store import making
from tests.support.clips import colour_clips


class Team:
    """Anna, an admin, and Ben, who has one of everything."""

    def __init__(self, folder: Path) -> None:
        self.lib = Library.open(folder, profile="offline")
        users = [
            self.lib.accounts.sign_in("https://login", name, f"{name}@example.com", True, name)
            for name in ("anna", "ben")
        ]
        self.anna, self.ben = (self.lib.as_user(user.user_id) for user in users)
        self.store, spaces = self.lib._store, self.lib.spaces()
        self.video = making.register(self.store, "holiday", user_id=self.ben.user_id)
        staged = making.stage(self.store, self.video, ["the sea"], spaces=spaces)
        self.store.commit_generation(self.video.video_id, staged, n=1, spaces=spaces.values())
        ben = self.ben
        self.scene = ben.scenes(self.video.video_id)[0]
        ben.tray_edits.add(self.scene.scene_id)
        ben.reels.create("a reel", [self.scene.scene_id])
        ben.judge("sea", self.scene.scene_id, 3)
        ben.set_preference("language", "ko")
        ben.search("the sea")
        ben.evaluate()
        _, self.secret = ben.accounts.make_token("t", ["read"])
        ben.sharing.share("video", self.video.video_id, self.anna.user_id)
        ben.sharing.make_collection("c")
        self.shared = making.register(self.store, "harbour", user_id=self.anna.user_id)
        self.anna.sharing.share("video", self.shared.video_id, ben.user_id)
        self.anna.search("harbour")
        self.export = self.store.exports.create(
            Export(str(uuid.uuid4()), ben.user_id, "reel", "r", ExportState.COMPLETED, (), utc_now())
        )
        file = self.store.paths.export(ben.user_id, self.export.export_id)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"export")
        ben.as_operator().watched.add(self._folder(folder.parent / "camera"))
        (watched,) = self.store.watched.folders(ben.user_id)
        self.watched_id = watched.folder_id
        seen = WatchedFile("clip.mp4", 1, 1, 1, "", "added", utc_now(), self.video.video_id, None)
        self.store.watched.note(watched.folder_id, seen)
        self.store.watching_progress(watched.folder_id).write({"next_files": ["clip.mp4"]})
        face = make_face_id(self.video.video_id, 0, (0.1, 0.1, 0.2, 0.2))
        self.store.people.add(self.anna.user_id, "Dora", [], [face])  # a face in what Ben shares with her
        photos = self.store.paths.people_root / ben.user_id
        photos.mkdir(parents=True)
        (photos / "photo.npy").write_bytes(b"vector")
        self.store.exports.update(self.export.export_id, path=self.store.paths.relative(file))

    @staticmethod
    def _folder(path: Path) -> Path:
        path.mkdir()
        return path

    def traces(self) -> list[str]:
        """Files of the library that name Ben's id or his video.

        Without those that say that he is gone, and files of the revision of an index before, which searches that are
        under way may still read; the next change removes them.
        """
        wanted = [one.encode() for one in (self.ben.user_id, self.video.video_id, self.watched_id)]
        found = []
        for path in self.lib.path.rglob("*"):
            name = path.relative_to(self.lib.path).as_posix()
            content = path.read_bytes() if path.is_file() and path.suffix != ".duckdb" else b""
            if any(one in name.encode() or one in content for one in wanted):
                found.append(name)
        said = {"accounts.json", "backup/deleted_users.parquet"}
        return sorted(name for name in found if name not in said and not name.startswith("index/"))

    def rows(self) -> list[str]:
        """The tables of the catalog that name Ben."""
        with self.store.catalog.transaction() as transaction:
            tables = {name: json.dumps(transaction.rows(f"select * from {name}")) for name in transaction.tables()}  # noqa: S608
        named = (self.ben.user_id, self.video.video_id, self.watched_id)
        return [name for name, text in tables.items() if any(one in text for one in named)]


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("HEIMDEX_ADMINS", "anna@example.com")
    return Team(tmp_path / "library")


@pytest.fixture
def team_anywhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("HEIMDEX_ADMINS", "anna@example.com")
    if request.param == "postgres":
        request.getfixturevalue("database")
    return Team(tmp_path / "library")


def test_their_data_is_copied_first(team: Team, tmp_path: Path) -> None:
    folder = tmp_path / "ben"
    report = team.anna.accounts.export_data("ben@example.com", folder)
    assert (report["videos"], report["exports"], report["searches"]) == (1, 1, 1)
    video = folder / "videos" / team.video.video_id
    assert (video / "source.mp4").read_bytes() == making.content_of("holiday")
    assert json.loads((video / "video.json").read_text())["title"] == "holiday"
    assert [scene["transcript"] for scene in json.loads((video / "scenes.json").read_text())] == ["the sea"]
    assert (folder / "exports" / f"{team.export.export_id}.mp4").read_bytes() == b"export"
    records = {path.stem: json.loads(path.read_text()) for path in (folder / "records").glob("*.json")}
    assert [row["email"] for row in records["users"]] == ["ben@example.com"]
    assert len(records["reels"]) == 2  # and the tray
    assert [row["grade"] for row in records["judgements"]] == [3]
    assert [row["title"] for row in records["collections"]] == ["c"]
    assert [row["path"] for row in records["watched_files"]] == ["clip.mp4"]
    assert "digest" not in records["tokens"][0]
    assert [row["text"] for row in json.loads((folder / "searches.json").read_text())] == ["the sea"]
    assert list((folder / "evaluation").rglob("*.parquet"))
    with pytest.raises(InvalidValue):
        team.anna.accounts.export_data("ben@example.com", folder)
    with pytest.raises(NotAllowed):
        team.ben.accounts.export_data(team.anna.user_id, tmp_path / "anna")
    assert team.ben.accounts.export_data(team.ben.user_id, tmp_path / "again") == report


@pytest.mark.parametrize("team_anywhere", ["duckdb", pytest.param("postgres", marks=pytest.mark.long)], indirect=True)
def test_nothing_is_left(team_anywhere: Team) -> None:
    team = team_anywhere
    team.ben.sql("select 1")
    with pytest.raises(NotAllowed):
        team.ben.accounts.delete_user(team.anna.user_id)
    team.anna.accounts.delete_user("ben@example.com")
    assert team.rows() == ["deleted_users"]
    assert team.traces() == []
    assert [user.name for user in team.anna.accounts.users()] == ["anna", "local"]
    assert [entry["text"] for entry in team.anna.searches.log()] == ["harbour"]
    assert team.anna.sharing.shares() == []
    assert team.anna.sharing.shared_with_me() == []
    assert team.anna.search("the sea").total == 0
    with pytest.raises(TokenInvalid):
        team.lib.accounts.authenticate(team.secret)
    with pytest.raises(UserNotFound):
        team.anna.accounts.delete_user("ben@example.com")
    again = team.lib.accounts.sign_in("https://login", "ben", "ben@example.com", True, "ben")
    assert again.user_id != team.ben.user_id


def test_what_is_still_open_brings_nothing_back(team: Team) -> None:
    store, spaces = team.store, team.lib.spaces()
    new = making.register(store, "new", user_id=team.ben.user_id)
    staged = making.stage(store, new, ["a boat"], spaces=spaces)
    team.ben.accounts.delete_user(team.ben.user_id)
    with pytest.raises(VideoNotFound):
        store.commit_generation(new.video_id, staged, n=1, spaces=spaces.values())
    for call in (
        lambda: making.register(store, "again", user_id=team.ben.user_id),
        lambda: team.ben.set_preference("language", "ko"),
        lambda: team.ben.tray_edits.rename("t"),
        lambda: team.ben.sharing.make_collection("c"),
        lambda: team.ben.accounts.make_token("t", ["read"]),
        lambda: team.ben.accounts.current(),
        lambda: store.runs.save(team.ben.user_id, {}, {}),
    ):
        with pytest.raises(UserNotFound):
            call()
    team.ben.search("the sea")
    assert team.rows() == ["deleted_users"]
    assert team.traces() == []


def test_in_the_middle_of_an_ingest(team: Team, tmp_path: Path) -> None:
    deleted: list[str] = []

    def delete(progress: StageProgress) -> None:
        if progress.stage != "probe" and not deleted:
            deleted.append(team.ben.user_id)
            team.anna.accounts.delete_user(team.ben.user_id)

    clip = colour_clips(tmp_path / "clip.mp4", [("red", 2.0), ("blue", 2.0)])
    with pytest.raises(HeimdexError):
        team.ben.add(clip, progress=delete)
    assert deleted
    assert team.rows() == ["deleted_users"]
    assert [name for name in team.traces() if not name.startswith("work/")] == []
    assert list(team.lib.path.glob("videos/*")) == [team.store.paths.video(team.shared.video_id)]
    assert [path for path in team.lib.path.glob("work/*") if not path.name.startswith(".")] == []


def test_a_removal_that_was_interrupted_is_finished_by_the_clean_up(team: Team) -> None:
    team.store.accounts.delete(team.ben.user_id)
    assert "videos" in team.rows()
    team.anna.clean_up()
    assert team.rows() == ["deleted_users"]
    assert team.traces() == []


STEPS = ("purge_video", "exports.of_user", "people.remove_user", "accounts.remove_rows", "remove_files")


@pytest.mark.parametrize("step", STEPS)
def test_it_may_be_interrupted_anywhere(team: Team, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        part, _, name = f"store.{step}".rpartition(".")
        patched.setattr(attrgetter(part)(team), name, interrupt)
        with pytest.raises(KeyboardInterrupt):
            team.anna.accounts.delete_user(team.ben.user_id)
    # what was Ben's is not shared any more, whatever of it is still there
    assert team.anna.sharing.shared_with_me() == []
    assert [video.title for video in team.anna.videos()] == ["harbour"]
    team.anna.clean_up()
    assert team.rows() == ["deleted_users"]
    assert team.traces() == []


def test_the_single_user_cannot_be_deleted(team: Team) -> None:
    with pytest.raises(InvalidValue):
        team.anna.accounts.delete_user("local")


def test_videos_are_assigned_after_sign_in_was_turned_on(team: Team) -> None:
    store, spaces = team.store, team.lib.spaces()
    mine = [making.register(store, title, user_id="local") for title in ("one", "holiday")]
    staged = making.stage(store, mine[0], ["a hill"], spaces=spaces)
    store.commit_generation(mine[0].video_id, staged, n=1, spaces=spaces.values())
    team.lib.sharing.share("video", mine[0].video_id, team.anna.user_id)
    with pytest.raises(NotAllowed):
        team.ben.accounts.assign_videos("local", team.ben.user_id)
    changed = team.anna.accounts.assign_videos("local", "Ben@example.com")
    # Ben has a video of the bytes of the second one already
    assert [(video.title, video.user_id) for video in changed] == [("one", team.ben.user_id)]
    assert [video.title for video in team.lib.videos()] == ["holiday"]
    assert {video.title for video in team.ben.searchable_videos()} == {"one", "holiday"}
    assert team.anna.sharing.access_to(mine[0].video_id) is None
    about = json.loads((store.paths.video(mine[0].video_id) / "video.json").read_text())
    assert about["user_id"] == team.ben.user_id
    for bad in (("nobody", "anna@example.com"), ("local", "nobody")):
        with pytest.raises(UserNotFound):
            team.anna.accounts.assign_videos(*bad)
    with pytest.raises(VideoNotFound):
        team.anna.accounts.assign_videos("local", "anna@example.com", [team.video.video_id])
