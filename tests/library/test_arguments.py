"""Whatever the public methods of a library are given, they answer or raise a HeimdexError.

The strategies mix what a method takes with values of every type, and with strings that are no Unicode, no path, no id.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heimdex_core.errors import FolderNotWatched, HeimdexError, InvalidValue
from heimdex_core.library import Library
from heimdex_core.library.model_sets import LibraryModelSets
from heimdex_core.settings import Settings
from heimdex_core.types import ReelClip, utc_now
from tests.support.frozen import SPOKEN, SUBTITLED, frozen_library

SCENE = f"{SUBTITLED}_0_1000"
NOW = utc_now()

texts = st.one_of(
    st.sampled_from([
        "", " ", "boat", SPOKEN, SCENE, f"{SUBTITLED}_5_5", f"{SUBTITLED}_9_1", "x_1_2", "_0_1", "__", "..", "/",
        "a/../b", "\ud800", "caf\udce9", "a\0b", "\n", "x" * 5000, "'; drop table videos; --", '"', "%s", "١٢",
        f"{SUBTITLED}_²_³", f"{SUBTITLED}_{'9' * 400}_{'9' * 500}", "~nobody/x", "offline", "text", "local", "nan",
    ]),
    st.text(st.characters(exclude_categories=()), max_size=12),
)  # fmt: skip
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 2**31, 2**63, 2**70, -(2**70), 1.5, 0.5, float("nan"), float("inf"), -0.0, 1e308]),
    st.integers(-5, 5),
    st.booleans(),
)
plain = st.one_of(st.none(), texts, numbers, st.binary(max_size=3), st.just(object()), st.just(Path("x\0")))
odd = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.dictionaries(texts, inner, max_size=3),
        st.sets(texts, max_size=2),
    ),
    max_leaves=4,
)


def method(owner: str, name: str, /, *given_args: Any, **usual: Any) -> Any:
    """A method of the library or of one of its parts, with the arguments that it usually gets."""
    return pytest.param(owner, name, given_args, usual, id=f"{owner}.{name}".lstrip("."))


METHODS = [
    method("", "add", "clip.mp4", title="t", description="d", subtitles="s.srt", language="en", audio_track=1),
    method("", "add_upload", "clip.part", "clip.mp4", title="t", subtitles={}, language="en"),
    method("", "adopt", "folder"),
    method("", "adopt_all", ["folder"]),
    method("", "videos", include_deleted=True, state="indexed", limit=2, offset=0, after=(NOW, SPOKEN)),
    method("", "video", SPOKEN),
    method("", "require_video", SPOKEN),
    method("", "scenes", SPOKEN, limit=2, after=SCENE),
    method("", "scene", SCENE),
    method("", "words", SPOKEN),
    method("", "frame_path", None, "0.webp"),
    method("", "playable_path", None),
    method("", "link", "videos/a.mp4", filename="a.mp4", content_type="video/mp4", inline=True),
    method("", "require_source", None, compare=True),
    method("", "progress", SPOKEN),
    method("", "delete", "no-such-video"),
    method("", "restore", "no-such-video"),
    method("", "retry", "no-such-video", queue=False, progress=print),
    method("", "relink", "no-such-video", folder="folder"),
    method("", "cancel", "no-such-video"),
    method("", "reindex_video", "no-such-video", language="en", params={"min_scene_s": 2.0}),
    method("", "search", "boat", weights={"lexical": 1.0}, fusion="rrf", videos=[SPOKEN], spaces=(), limit=3, offset=0),
    method("", "sql", "select * from scenes where video_id = ?", [SPOKEN]),
    method("", "short", SCENE, strategy="letterbox", quality="high", trim=None, snap=None, title="t", queue=True),
    method("", "reel", [SCENE], title="t", out="out.mp4", skip_failed=False, queue=True),
    method("", "timeline", [SCENE], "csv", title="t", fps=25.0, out="out.csv"),
    method("", "save_tray", [], title="t"),
    method("", "set_preference", "key", 1),
    method("", "as_user", "somebody"),
    method("", "open", "no-library", user_id="local", profile="offline", create=False, purpose="query"),
    method("", "repair", "no-library"),
    method("", "move_catalog", "no-library", to="file"),
    method("", "move", "no-library", to="no-folder", catalog="file", progress=print),
    method("", "change_search", "no-library", to="local"),
    method("", "add_known", "0" * 64),
    method("", "may_have_file", "clip.mp4", 1),
    method("", "count_unfinished", timeout_s=1.0),
    method("", "rename", "no-such-video", "t"),
    method("accounts", "sign_in", "https://login.example", "1", "anna@example.com", True, "Anna"),
    method("accounts", "is_admitted", "no-such-user"),
    method("accounts", "find", "anna@example.com"),
    method("accounts", "make_token", "t", ["read"], expires_in_s=60.0),
    method("accounts", "revoke_token", "no-such-token"),
    method("accounts", "authenticate", "hdx_0_0"),
    method("accounts", "assign_videos", "local", "anna@example.com", [SPOKEN]),
    method("accounts", "export_data", "no-such-user", "no-folder"),
    method("accounts", "delete_user", "no-such-user"),
    method("sharing", "make_collection", "t"),
    method("sharing", "rename_collection", "no-such-collection", "t"),
    method("sharing", "delete_collection", "no-such-collection"),
    method("sharing", "put", "no-such-collection", [SPOKEN]),
    method("sharing", "take_out", "no-such-collection", [SPOKEN]),
    method("sharing", "share", "video", SPOKEN, "anna@example.com", "read"),
    method("sharing", "unshare", "video", SPOKEN, "anna@example.com"),
    method("sharing", "give_back", "video", SPOKEN),
    method("sharing", "shares", "video", SPOKEN),
    method("sharing", "access_to", SPOKEN),
    method("sharing", "shared_with_me", SPOKEN),
    method("scene_edits", "split", "no-such-video", 1.0),
    method("scene_edits", "merge", "no-such-scene", "no-such-scene"),
    method("scene_edits", "list", SPOKEN),
    method("scene_edits", "undo", "no-such-video", "0f3a9c1e"),
    method("bulk", "cancel", ["no-such-video"]),
    method("bulk", "delete", ["no-such-video"]),
    method("bulk", "restore", ["no-such-video"]),
    method("sprites", "find", "no-such-scene", "sprite"),
    method("sprites", "path", "no-such-scene", "sprite"),
    method("tray_edits", "add", SCENE, made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "remove", [SCENE], made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "remove_scene", SCENE, made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "duplicate", SCENE, made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "move", SCENE, after=SCENE, before=SCENE, made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "trim", SCENE, 0.0, 1.0, made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "set_strategy", SCENE, "blur_pad", made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "rename", "t", made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "clear", [SCENE], made_on=1, author="a", since=0, key="k"),
    method("tray_edits", "undo", author="a", since=0, key="k"),
    method("tray_edits", "redo", author="a", since=0, key="k"),
    method("tray_edits", "clip_count", SPOKEN),
    method("reels", "get", "none"),
    method("reels", "find", "none"),
    method("reels", "create", "t", [SCENE]),
    method("reels", "save", None),
    method("reels", "rename", "none", "t"),
    method("reels", "duplicate", "none", "t"),
    method("reels", "delete", "none"),
    method("reels", "edits", "none"),
    method("reels", "open", "none", keep_as="t"),
    method("", "spoken_words", SPOKEN, 0.0, 1.0),
    method("", "snap", SPOKEN, 0.0, 1.0, "word"),
    method("", "pauses", [SCENE], min_silence_s=0.8),
    method("", "without_pauses", [SCENE], keep=("none",), min_silence_s=0.8),
    method("", "waveform", SPOKEN, 0.0, 1.0, 4),
    method("exports", "get", SPOKEN),
    method("exports", "keep", SPOKEN, keep=True),
    method("exports", "list", limit=2, after=(NOW, SPOKEN), timeout_s=1.0),
    method("exports", "file", None),
    method("exports", "progress", SPOKEN),
    method("exports", "cancel", SPOKEN),
    method("exports", "remove", SPOKEN),
    method("shorts", "make_all", [], queue=True),
    method("shorts", "cues", SCENE, 0.0, 2.0),
    method("shorts", "plan_crop", SCENE, 0.0, 2.0),
    method("shorts", "read_crop_path", "path.json"),
    method("shorts", "preview", SCENE, "letterbox", 0.5),
    method("shorts", "request_of", SPOKEN),
    method("exports", "without_failed", SPOKEN, queue=True),
    method("watched", "add", "folder"),
    method("watched", "stop", "folder"),
    method("watched", "retry", "folder"),
    method("", "judge", "boat", SCENE, 2, reason="r", query_set="made", judge="ann"),
    method("", "evaluate", "none", weights={"lexical": 1.0}, fusion="rrf", spaces=(), temperature=0.1, name="n"),
    method("evaluation", "judge", "boat", SCENE, 2, reason="r", query_set="made", judge="ann"),
    method(
        "evaluation",
        "evaluate",
        "none",
        weights={"lexical": 1.0},
        fusion="rrf",
        spaces=(),
        temperature=0.1,
        model_set=1,
    ),
    method("evaluation", "agreement", "made"),
    method("evaluation", "cancel_sweep", SPOKEN),
    method("evaluation", "compare", "one", "two"),
    method("evaluation", "delete_query_set", "none"),
    method("evaluation", "delete_run", "none"),
    method("evaluation", "delete_sweep", SPOKEN),
    method("evaluation", "export_table", "out.csv", query_set="made"),
    method("evaluation", "export_trec", "out", query_set="made", runs=["one"]),
    method("evaluation", "forget", SPOKEN),
    method("evaluation", "get_sweep", SPOKEN),
    method("evaluation", "grades", "boat", query_set="made", judge="ann"),
    method("evaluation", "import_table", "in.csv", query_set="made", judge="ann"),
    method("evaluation", "import_trec", "qrels.txt", topics="topics.txt", run="run.txt", query_set="made", name="n"),
    method("evaluation", "judgements", "made", query="boat", judge="ann", limit=2, after=(NOW, SPOKEN)),
    method("evaluation", "make_default", {"fusion": "rrf"}, scope="me"),
    method("evaluation", "models_to_try", [["palette"]], [1]),
    method("evaluation", "pool", "made", runs=["one"], depth=2, judge="ann"),
    method("evaluation", "query_set", "made"),
    method("evaluation", "rename_query_set", "none", "new"),
    method("evaluation", "report", "none", runs=["one"], compare=("one", "two"), format="md"),
    method("evaluation", "rerun", "none", name="n"),
    method("evaluation", "resume_sweep", SPOKEN),
    method("evaluation", "run", "none"),
    method("evaluation", "runs", "none", limit=2, after=(NOW, SPOKEN)),
    method("evaluation", "save_query_set", "made", ["boat"], guidelines="g"),
    method(
        "evaluation",
        "sweep",
        "none",
        weights=[{"lexical": 1.0}],
        fusions=["rrf"],
        temperatures=[0.1],
        spaces=[["x"]],
        budget=2,
        measure="nDCG@10",
        name="n",
    ),
    method("evaluation", "undo_default", scope="me"),
    method("corrections", "list", SPOKEN),
    method("corrections", "tags", "no-such-scene", add=["a"], remove=["b"]),
    method("corrections", "transcript", "no-such-video", 0.0, 1.0, "t"),
    method("corrections", "undo", "no-such-video", "0f3a9c1e"),
    method("people", "add_photos", "none", ["a.jpg"]),
    method("people", "all", limit=2, after=("Anna", "none")),
    method("people", "assign", "none", [f"{SPOKEN}_0_1_2"]),
    method("people", "crop", f"{SPOKEN}_0_1_2"),
    method("people", "enrol", "Anna", ["a.jpg"], faces=[SCENE]),
    method("people", "faces", SCENE),
    method("people", "faces_of", "none", limit=3),
    method("people", "find", "Anna"),
    method("people", "find_faces", [SPOKEN], again=True),
    method("people", "get", "none"),
    method("people", "get_scan", "none"),
    method("people", "cancel_scan", "none"),
    method("people", "look_at_new", SPOKEN),
    method("people", "merge", "none", "other"),
    method("people", "name", f"{SPOKEN}_0_1_2", "Anna"),
    method("people", "refuse", "none", [f"{SPOKEN}_0_1_2"]),
    method("people", "remove", "none"),
    method("people", "remove_faces", [f"{SPOKEN}_0_1_2"]),
    method("people", "rename", "none", "Anna"),
    method("people", "split", "none", [f"{SPOKEN}_0_1_2"], "Anna"),
    method("people", "unnamed", limit=3),
    method("searches", "keep_picture", b"no picture"),
    method("searches", "log", limit=3),
    method("searches", "picture", "none"),
    method("searches", "remove", "none"),
    method("searches", "save", "name", {"q": "boat"}),
    method("requests", "count", {"key": 1}),
    method("requests", "begin", "key", b"request"),
    method("requests", "finish", "key", b"request", 200, "{}", b"body"),
    method("requests", "forget", "key"),
    method("scene_details", "duplicates", SCENE, limit=3),
    method("scene_details", "provenance", SPOKEN),
    method("scene_details", "screen_text", SCENE),
    method("model_sets", "models", 1),
    method("model_sets", "resume", 7),
    method(
        "model_sets", "move_to", "offline", speech="x", text="x", vision="x", add_spaces=["text=x"], drop_spaces=["x"]
    ),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = tmp_path_factory.mktemp("arguments")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(root)
        # Nothing is moved to other models, whatever is asked for.
        patched.setattr(LibraryModelSets, "_move", lambda self, target, **_: target)
        with Library.open(frozen_library(root / "library"), settings=Settings(profile="offline")) as opened:
            opened.search("boat")
            yield opened


def check(library: Library, owner: str, name: str, usual: tuple[Any, ...], named: dict[str, Any], data: Any) -> None:
    """Call the method with one or more of its arguments replaced."""
    args, kwargs = list(usual), dict(named)
    places: list[int | str] = [*range(len(args)), *kwargs]
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=2, unique=True)):
        value = data.draw(odd)
        if isinstance(place, int):
            args[place] = value
        else:
            kwargs[place] = value
    called: Callable[..., Any] = getattr(getattr(library, owner) if owner else library, name)
    refused = None
    try:
        called(*args, **kwargs)
    except HeimdexError as error:
        refused = error
    assert refused is None or (refused.code != "INTERNAL" and refused.message.encode())


def example_settings(count: int) -> Any:
    checks = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)
    return settings(
        max_examples=count, deadline=None, derandomize=count < 100, suppress_health_check=checks, database=None
    )


@pytest.mark.parametrize(("owner", "name", "usual", "named"), METHODS)
@example_settings(8)
@given(data=st.data())
def test_only_errors_of_ours_come_out(
    library: Library, owner: str, name: str, usual: tuple[Any, ...], named: dict[str, Any], data: Any
) -> None:
    check(library, owner, name, usual, named, data)


@pytest.mark.long
@pytest.mark.parametrize(("owner", "name", "usual", "named"), METHODS)
@example_settings(400)
@given(data=st.data())
def test_only_errors_of_ours_come_out_of_many_more(
    library: Library, owner: str, name: str, usual: tuple[Any, ...], named: dict[str, Any], data: Any
) -> None:
    check(library, owner, name, usual, named, data)


def test_every_public_method_is_checked(library: Library) -> None:
    """A new method is checked, or takes nothing."""
    tried = {(owner, name) for owner, name, *_ in (param.values for param in METHODS)}
    for owner, part in {
        "": library,
        **{name: getattr(library, name) for name in PARTS},
    }.items():
        for name, function in inspect.getmembers(type(part), inspect.isfunction):
            takes = set(inspect.signature(function).parameters) - {"self", "progress", "queue", "is_cancelled"}
            if name.startswith("_") or not takes or (owner, name) in tried or name in NOT_FOR_CALLERS:
                continue
            pytest.fail(f"{owner or 'Library'}.{name} is not among METHODS")


PARTS = (
    *("exports", "reels", "shorts", "watched", "model_sets", "tray_edits", "bulk", "sprites", "scene_edits"),
    *("evaluation", "corrections", "searches", "scene_details", "people", "accounts", "sharing", "requests"),
)
NOT_FOR_CALLERS = {
    "start_all",
    "count_unfinished",
    "sweep_work",
    "scan_work",
    "frame_count",
    "needs_still",
    "make",
    "make_reel",
    "start",
    "replace",
    "render",
    "watch",
    "migration",
    "extra_spaces",
}
"""What other parts of the library call, or the worker, with values that were checked."""


def test_the_message_names_the_argument_and_the_value(library: Library) -> None:
    with pytest.raises(InvalidValue) as caught:
        library.search("boat", limit=1.5)  # type: ignore[arg-type]
    assert caught.value.details["name"] == "limit"
    assert caught.value.details["value"] == "1.5"
    with pytest.raises(InvalidValue) as caught:
        library.search("caf\udce9")
    assert caught.value.message == "text = caf\\xe9 cannot be used: it is not Unicode text"
    with pytest.raises(TypeError, match="surprise"):
        library.search("boat", surprise=1)  # type: ignore[call-arg]


def test_a_path_may_be_bytes(library: Library) -> None:
    name: Any = b"a\0b"
    with pytest.raises(InvalidValue):
        library.watched.retry(name)
    name = "배".encode()
    with pytest.raises(FolderNotWatched, match="배"):
        library.watched.retry(name)


def test_clips_are_taken_as_values_or_ids(library: Library) -> None:
    tray = library.save_tray([ReelClip(SUBTITLED, 0.0, 0.5, 0.0, 1.0)])
    assert [clip.end_s for clip in tray.clips] == [0.5]
    with pytest.raises(InvalidValue):
        library.save_tray(["not a clip"])  # type: ignore[list-item]


@pytest.mark.parametrize(("name", "reason"), [("9" * 400, "too long"), ("a\0b", "null")])
@pytest.mark.parametrize("do", [Library.open, Library.repair])
def test_a_path_that_no_file_system_has(do: Callable[[str], Any], name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=reason):
        do(str(tmp_path / name))
