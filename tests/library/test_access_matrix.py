"""Every public call of Library and its parts as everybody: the owner, users with whom something is shared, others.

The table of docs/security.md (Calls) is what this test finds; with WRITE_ACCESS_MATRIX=1 it writes it there. A new
public call fails the test until it is put into CALLS or one of the lists below.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import HeimdexError, NotAllowed, VideoNotFound
from heimdex_core.library import Library
from heimdex_core.types import Example, Export, ExportState, ReelClip, Video, VideoState, utc_now
from tests.store import making

SECURITY = Path(__file__).resolve().parents[2] / "docs" / "security.md"
ROLES = ("owner", "write share", "read share", "other", "admin", "nobody")


class Library4Users:
    """The library of an owner with one of everything, and the other users."""

    def __init__(self, folder: Path) -> None:
        self.lib = Library.open(folder, profile="offline")
        ids = {role: self._sign_in(role) for role in ROLES[:-1]}
        self.ids = {**ids, "nobody": "u-nobody"}
        self.of = {role: self.lib.as_user(user_id) for role, user_id in self.ids.items()}
        for lib in self.of.values():
            lib.queue = Queue()  # type: ignore[assignment]
        store, spaces = self.lib._store, self.lib.spaces()
        owner = self.of["owner"]
        self.video: Video = making.register(store, "holiday", user_id=owner.user_id)
        staged = making.stage(store, self.video, ["the sea", "a boat"], spaces=spaces, length_s=5.0)
        self.video = store.commit_generation(self.video.video_id, staged, n=1, spaces=spaces.values())
        self.v = self.video.video_id
        self.scene, self.next = owner.scenes(self.v)
        self.s = self.scene.scene_id
        owner.sharing.share("video", self.v, ids["write share"], "write")
        owner.sharing.share("video", self.v, ids["read share"], "read")
        self.reel = owner.reels.create("a reel", [self.s])
        owner.judge("sea", self.s, 3)
        self.judgement = owner.evaluation.judgements()[0]
        self.run = owner.evaluation.evaluate(name="a run")
        self.picture = owner.searches.keep_picture(b"picture")
        owner.searches.save("a search", {"q": "boat"})
        owner.search("the sea")
        self.collection = owner.sharing.make_collection("a collection")
        self.c = self.collection.collection_id
        owner.sharing.put(self.collection.collection_id, [self.v])
        self.token, _ = owner.accounts.make_token("a token", ["read"])
        clip = ReelClip(self.v, 0.0, 5.0, 0.0, 5.0)
        self.export = store.exports.create(
            Export(str(uuid.uuid4()), owner.user_id, "reel", "r", ExportState.COMPLETED, (clip,), utc_now())
        )

    def _sign_in(self, role: str) -> str:
        name = role.replace(" ", "-")
        return self.lib.accounts.sign_in("https://login", name, f"{name}@example.com", True, name).user_id

    def spare(self) -> str:
        """The id of a user whom nobody needs."""
        name = uuid.uuid4().hex
        return self.lib.accounts.sign_in("https://login", name, None, False, name).user_id

    def new_folder(self) -> Path:
        """A folder that is not there yet."""
        return self.lib.path.parent / uuid.uuid4().hex

    def reset(self) -> None:
        """The video as it was."""
        store = self.lib._store
        with store.catalog.transaction() as transaction:
            values = {"state": str(VideoState.INDEXED), "title": "holiday", "job_id": None, "error": None}
            transaction.update("videos", values, {"video_id": self.v})
            transaction.shares_changed = True
            transaction.mark_visible_changed()

    def outcome(self, role: str, call: Callable[[Library, Library4Users], Any]) -> str:
        """What becomes of a call: refused, or answered, be it with an error about something else."""
        try:
            call(self.of[role], self)
        except NotAllowed:
            return "not allowed"
        except HeimdexError as error:
            return "not found" if _is_refusal(error) else "yes"
        return "yes"


def _is_refusal(error: HeimdexError) -> bool:
    """Whether it says that there is no such thing. Of reels it is said of the clips; that of an edit is no refusal."""
    if error.code == "CLIPS_FAILED":
        return error.details["clips"][0]["problem"] in ("clip_video_deleted", "clip_scene_gone")
    return error.code == "UNKNOWN_NAME" or (error.code.endswith("_NOT_FOUND") and error.code != "EDIT_NOT_FOUND")


class Queue:
    """Takes everything, and does nothing."""

    def __getattr__(self, name: str) -> Callable[..., str]:
        return lambda *args, **kwargs: "a job"


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library4Users]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HEIMDEX_ADMINS", "admin@example.com")
        made = Library4Users(tmp_path_factory.mktemp("matrix") / "library")
        yield made
        made.lib.close()


Call = Callable[[Library, Library4Users], Any]
CALLS: dict[str, dict[str, Call]] = {
    "Looking at a video": {
        "video": lambda lib, it: lib.video(it.v),
        "scenes": lambda lib, it: lib.scenes(it.v),
        "scene": lambda lib, it: lib.scene(it.s),
        "words": lambda lib, it: lib.words(it.v),
        "frame_path": lambda lib, it: lib.frame_path(it.scene),
        "playable_path": lambda lib, it: lib.playable_path(it.video),
        "require_source": lambda lib, it: lib.require_source(it.video, compare=False),
        "progress": lambda lib, it: lib.progress(it.v),
        "spoken_words": lambda lib, it: lib.spoken_words(it.v, 0.0, 1.0),
        "snap": lambda lib, it: lib.snap(it.v, 0.0, 1.0, "word"),
        "waveform": lambda lib, it: lib.waveform(it.v, 0.0, 1.0, 4),
        "search": lambda lib, it: lib.search(example=Example(scene_ids=(it.s,))),
        "corrections.list": lambda lib, it: lib.corrections.list(it.v),
        "scene_edits.list": lambda lib, it: lib.scene_edits.list(it.v),
        "scene_details.duplicates": lambda lib, it: lib.scene_details.duplicates(it.s),
        "scene_details.provenance": lambda lib, it: lib.scene_details.provenance(it.v),
        "scene_details.screen_text": lambda lib, it: lib.scene_details.screen_text(it.s),
        "sprites.find": lambda lib, it: lib.sprites.find(it.s),
        "sprites.path": lambda lib, it: lib.sprites.path(it.s),
        "shorts.cues": lambda lib, it: lib.shorts.cues(it.s, 0.0, 2.0),
        "shorts.plan_crop": lambda lib, it: lib.shorts.plan_crop(it.s, 0.0, 2.0),
        "shorts.preview": lambda lib, it: lib.shorts.preview(it.s, "letterbox", 0.5),
    },
    "Making something of one's own of its scenes": {
        "judge": lambda lib, it: lib.judge("boat", it.s, 2),
        "evaluation.judge": lambda lib, it: lib.evaluation.judge("boat", it.s, 2),
        "reel": lambda lib, it: lib.reel([it.s], queue=True),
        "short": lambda lib, it: lib.short(it.s, queue=True),
        "timeline": lambda lib, it: lib.timeline([it.s], "csv"),
        "pauses": lambda lib, it: lib.pauses([it.s]),
        "without_pauses": lambda lib, it: lib.without_pauses([it.s]),
        "reels.create": lambda lib, it: lib.reels.create("t", [it.s]),
        "tray_edits.add": lambda lib, it: lib.tray_edits.add(it.s),
    },
    "Changing a video": {
        "rename": lambda lib, it: lib.rename(it.v, "renamed"),
        "retry": lambda lib, it: lib.retry(it.v, queue=True),
        "cancel": lambda lib, it: lib.cancel(it.v),
        "bulk.cancel": lambda lib, it: lib.bulk.cancel([it.v]),
        "reindex_video": lambda lib, it: lib.reindex_video(it.v, queue=True),
        "relink": lambda lib, it: lib.relink(it.v),
        "scene_edits.split": lambda lib, it: lib.scene_edits.split(it.v, 1.5, queue=True),
        "scene_edits.merge": lambda lib, it: lib.scene_edits.merge(it.s, it.next.scene_id, queue=True),
        "scene_edits.undo": lambda lib, it: lib.scene_edits.undo(it.v, queue=True),
        "corrections.transcript": lambda lib, it: lib.corrections.transcript(it.v, 0.0, 1.0, "x", queue=True),
        "corrections.tags": lambda lib, it: lib.corrections.tags(it.s, add=["a"], queue=True),
        "corrections.undo": lambda lib, it: lib.corrections.undo(it.v, "0f3a9c1e", queue=True),
    },
    "What only the owner of a video or collection may": {
        "delete": lambda lib, it: lib.delete(it.v),
        "restore": lambda lib, it: lib.restore(it.v),
        "bulk.delete": lambda lib, it: lib.bulk.delete([it.v]),
        "bulk.restore": lambda lib, it: lib.bulk.restore([it.v]),
        "sharing.shares": lambda lib, it: lib.sharing.shares("video", it.v),
        "sharing.share": lambda lib, it: lib.sharing.share("video", it.v, it.ids["read share"], "read"),
        "sharing.unshare": lambda lib, it: lib.sharing.unshare("collection", it.c, it.ids["admin"]),
        "sharing.put": lambda lib, it: lib.sharing.put(it.c, [it.v]),
        "sharing.rename_collection": lambda lib, it: lib.sharing.rename_collection(it.c, "new"),
        "sharing.take_out": lambda lib, it: lib.sharing.take_out(it.c, [it.v]),
        "sharing.delete_collection": lambda lib, it: lib.sharing.delete_collection(it.c),
    },
    "What somebody has made": {
        "exports.get": lambda lib, it: lib.exports.get(it.export.export_id),
        "exports.file": lambda lib, it: lib.exports.file(it.export),
        "exports.progress": lambda lib, it: lib.exports.progress(it.export.export_id),
        "exports.keep": lambda lib, it: lib.exports.keep(it.export.export_id, keep=True),
        "exports.without_failed": lambda lib, it: lib.exports.without_failed(it.export.export_id, queue=True),
        "exports.render": lambda lib, it: lib.exports.render(it.export.export_id),
        "exports.cancel": lambda lib, it: lib.exports.cancel(it.export.export_id),
        "exports.remove": lambda lib, it: lib.exports.remove(it.export.export_id),
        "shorts.request_of": lambda lib, it: lib.shorts.request_of(it.export.export_id),
        "reels.get": lambda lib, it: lib.reels.get(it.reel.reel_id),
        "reels.find": lambda lib, it: lib.reels.find(it.reel.title),
        "reels.edits": lambda lib, it: lib.reels.edits(it.reel.reel_id).rename("a reel"),
        "reels.open": lambda lib, it: lib.reels.open(it.reel.reel_id),
        "reels.duplicate": lambda lib, it: lib.reels.duplicate(it.reel.reel_id, "t"),
        "reels.rename": lambda lib, it: lib.reels.rename(it.reel.reel_id, "a reel"),
        "reels.delete": lambda lib, it: lib.reels.delete(it.reel.reel_id),
        "evaluation.run": lambda lib, it: lib.evaluation.run("a run"),
        "evaluation.rerun": lambda lib, it: lib.evaluation.rerun("a run"),
        "evaluation.delete_run": lambda lib, it: lib.evaluation.delete_run("a run"),
        "accounts.revoke_token": lambda lib, it: lib.accounts.revoke_token(it.token.token_id),
    },
    "What only admins may": {
        "accounts.users": lambda lib, it: lib.accounts.users(),
        "accounts.find": lambda lib, it: lib.accounts.find(it.ids["owner"]),
        "accounts.require_admin": lambda lib, it: lib.accounts.require_admin(),
        "accounts.assign_videos": lambda lib, it: lib.accounts.assign_videos("local", it.ids["other"]),
        "accounts.export_data": lambda lib, it: lib.accounts.export_data(it.spare(), it.new_folder()),
        "accounts.delete_user": lambda lib, it: lib.accounts.delete_user(it.spare()),
        "activity.require_admin": lambda lib, it: lib.activity.require_admin(),
        "activity.present": lambda lib, it: lib.activity.present(),
        "activity.report": lambda lib, it: lib.activity.report(),
        "people.turn_on": lambda lib, it: lib.people.turn_on(),
        "people.turn_off": lambda lib, it: lib.people.turn_off(),
        "activity.search_timings_after": lambda lib, it: lib.activity.search_timings_after(None),
    },
    "What changes the library for everybody, or has the server read its own folders": {
        "reindex": lambda lib, it: lib.reindex(),
        "clean_up": lambda lib, it: lib.clean_up(),
        "model_sets.drop_old": lambda lib, it: lib.model_sets.drop_old(),
        "model_sets.move_to": lambda lib, it: lib.model_sets.move_to("offline", queue=True),
        "model_sets.resume": lambda lib, it: lib.model_sets.resume(1, queue=True),
        "model_sets.migration": lambda lib, it: lib.model_sets.migration(1),
        "model_sets.undo": lambda lib, it: lib.model_sets.undo(queue=True),
        "model_sets.cancel": lambda lib, it: lib.model_sets.cancel(),
        "evaluation.make_default": lambda lib, it: lib.evaluation.make_default({"fusion": "rrf"}, scope="library"),
        "evaluation.undo_default": lambda lib, it: lib.evaluation.undo_default(scope="library"),
        "watched.add": lambda lib, it: lib.watched.add(it.lib.path.parent),
    },
    "Giving back what another user shares": {
        "sharing.give_back": lambda lib, it: lib.sharing.give_back("video", it.v),
    },
}
ADMINS = ("What only admins may", "What changes the library for everybody, or has the server read its own folders")

CHANGING = ("Changing a video", "What only the owner of a video or collection may")

OWN = """
add add_known add_upload adopt adopt_all count_unfinished may_have_file preferences published_state save_tray
searchable_videos set_preference sql stats tray videos evaluate user_id
accounts.current accounts.make_token accounts.tokens
evaluation.agreement evaluation.cancel_sweep evaluation.compare evaluation.default_grid evaluation.defaults
evaluation.delete_query_set evaluation.delete_sweep evaluation.evaluate evaluation.export_table evaluation.export_trec
evaluation.forget evaluation.get_sweep evaluation.grades evaluation.import_table evaluation.import_trec
evaluation.judgements evaluation.models_to_try evaluation.own_query_set evaluation.pool evaluation.query_set
evaluation.query_sets evaluation.rename_query_set evaluation.report evaluation.resume_sweep evaluation.runs
evaluation.save_query_set evaluation.sweep evaluation.sweep_work evaluation.sweeps
exports.end_interrupted exports.list exports.make_reel exports.start exports.start_all
people.add_photos people.all people.assign people.crop people.enrol people.faces people.faces_of people.find
people.cancel_scan people.find_faces people.get people.get_scan people.last_scan people.look_at_new people.merge
people.name people.refuse people.remove people.remove_faces people.rename people.scan_work people.split people.unnamed
reels.list reels.save requests.begin requests.finish requests.forget
searches.keep_picture searches.log searches.picture searches.remove searches.save searches.saved
sharing.access_to sharing.collections sharing.make_collection sharing.shared_with_me sharing.user_names
shorts.allowance shorts.make shorts.make_all
tray_edits.clear tray_edits.clip_count tray_edits.duplicate tray_edits.move tray_edits.redo tray_edits.remove
tray_edits.remove_scene tray_edits.rename tray_edits.replace tray_edits.set_strategy tray_edits.trim tray_edits.undo
watched.list watched.retry watched.stop
"""
"""Calls that are about what the caller has, by the caller's id: there is no way to name what is another's."""

WHOLE = """
address as_operator as_user change_search close doctor link models move move_catalog open path queue repair require
require_video settings spaces storage uploads_folder warm bulk work
accounts.as_operator accounts.authenticate accounts.is_admin accounts.is_admitted accounts.is_shared
accounts.sign_in
requests.are_counted_together requests.count
activity.as_operator activity.free_bytes
model_sets.active model_sets.all model_sets.extra_spaces model_sets.models model_sets.old_bytes model_sets.previous
model_sets.status
people.as_operator people.has_models people.is_on people.state
shorts.has_face_detector shorts.read_crop_path sprites.frame_count sprites.needs_still
watched.of_all_users watched.roots watched.watch
"""
"""Calls that are about the library as a whole, the operator's, or values that are given; see the text in the page."""


def public_calls(lib: Library) -> set[str]:
    """The names of the public methods and properties of a library and its parts."""
    found = {name for name in dir(type(lib)) if not name.startswith("_")}
    for part, value in vars(lib).items():
        if part.startswith("_") or not type(value).__module__.startswith("heimdex_core.library") or part == "work":
            continue  # `work` is what the queue and the worker use
        found |= {f"{part}.{name}" for name in dir(type(value)) if not name.startswith("_")}
    return found


def test_every_public_call_has_its_place(users: Library4Users) -> None:
    listed = [name for group in CALLS.values() for name in group] + OWN.split() + WHOLE.split()
    assert sorted(public_calls(users.lib) - set(listed)) == []
    assert sorted(name for name in set(listed) if listed.count(name) > 1) == []
    assert sorted(set(listed) - public_calls(users.lib) - {"user_id", "settings", "bulk", "work"}) == []


def test_what_concerns_everybody_is_for_admins_and_the_operator(users: Library4Users, tmp_path: Path) -> None:
    calls = {name: call for heading in ADMINS for name, call in CALLS[heading].items()}
    refused = {name for name, call in calls.items() if users.outcome("owner", call) == "not allowed"}
    assert refused == set(calls)
    with pytest.raises(NotAllowed):
        users.of["owner"].relink(users.v, folder=tmp_path)
    with pytest.raises(NotAllowed):
        users.of["owner"].relink(users.v, path=tmp_path)
    with pytest.raises(VideoNotFound):
        users.of["other"].relink(users.v, folder=tmp_path)
    for allowed in (users.of["admin"], users.lib.as_operator(), users.of["owner"].as_operator()):
        assert allowed.clean_up()["videos"] == 0
        assert allowed.evaluation.make_default({"fusion": "rrf"}, scope="library").fusion == "rrf"
        allowed.evaluation.undo_default(scope="library")
    with pytest.raises(NotAllowed):  # a user of the operator's has the rights of that user
        users.lib.as_operator().as_user(users.lib.user_id).clean_up()


def test_while_nobody_has_signed_in_everybody_may_do_that(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", profile="offline") as lib:
        lib.as_user("mina").model_sets.cancel()
        assert lib.as_user("mina").clean_up()["videos"] == 0
        assert lib.as_user("mina").watched.add(tmp_path).path == str(tmp_path)


@pytest.mark.long
def test_the_table_of_the_documentation_is_what_users_find(users: Library4Users) -> None:
    rows: list[str] = []
    for heading, calls in CALLS.items():
        found: dict[tuple[str, ...], list[str]] = {}
        for name, call in calls.items():
            outcomes = {}
            for role in reversed(ROLES):  # the owner last: what is removed then is not there any more
                outcomes[role] = users.outcome(role, call)
                if heading in CHANGING and outcomes[role] == "yes":
                    users.reset()
            found.setdefault(tuple(outcomes[role] for role in ROLES), []).append(name)
        rows += [
            f"| {heading}: {', '.join(f'`{name}`' for name in names)} | {' | '.join(outcomes)} |"
            for outcomes, names in found.items()
        ]
    table = "\n".join([f"| calls | {' | '.join(ROLES)} |", "| --- " * (len(ROLES) + 1) + "|", *rows])
    text = SECURITY.read_text(encoding="utf-8")
    begin = text.index("| calls | owner |")
    end = text.index("\n\n", begin)
    if os.environ.get("WRITE_ACCESS_MATRIX"):
        SECURITY.write_text(text[:begin] + table + text[end:], encoding="utf-8")
    else:
        assert text[begin:end] == table


LISTINGS: list[Callable[[Library], Any]] = [
    lambda lib: lib.videos(include_deleted=True),
    lambda lib: lib.searchable_videos(),
    lambda lib: lib.search("sea").hits,
    lambda lib: lib.exports.list(),
    lambda lib: lib.reels.list(),
    lambda lib: lib.tray(),
    lambda lib: lib.preferences(),
    lambda lib: lib.searches.log(),
    lambda lib: lib.searches.saved(),
    lambda lib: lib.evaluation.judgements(),
    lambda lib: lib.evaluation.runs(),
    lambda lib: lib.evaluation.query_sets(),
    lambda lib: lib.evaluation.sweeps(),
    lambda lib: lib.sharing.collections(),
    lambda lib: lib.sharing.shared_with_me(),
    lambda lib: lib.sharing.shares(),
    lambda lib: lib.sharing.user_names(),
    lambda lib: lib.accounts.tokens(),
    lambda lib: lib.watched.list(),
    lambda lib: [lib.sql(f"select * from {name}").to_dict() for name in lib.sql("show tables")["name"]],  # noqa: S608
]
"""Those of OWN that list something."""


@pytest.mark.parametrize("role", ["other", "admin", "nobody"])
def test_lists_have_nothing_of_others(users: Library4Users, role: str) -> None:
    names = (users.v, users.ids["owner"], "holiday", "a reel", "a run", "a search", "a token", "a collection")
    for ask in LISTINGS:
        shown = repr(ask(users.of[role]))
        assert [name for name in names if re.search(re.escape(name), shown)] == []
