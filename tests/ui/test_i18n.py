"""The texts of the app: the same keys and fields in both languages, no key missing, no key unused."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from heimdex_core.errors import (
    PROBLEMS,
    DiskFull,
    DurationMismatch,
    ExportLimitExceeded,
    FileTooLarge,
    InvalidTransition,
    LibraryBusy,
    LibraryDamaged,
    LibraryNotFound,
    ModelBroken,
    ProfileMismatch,
    RenderFailed,
    StageFailed,
    UnknownName,
    VideoTooLong,
    error_classes,
)
from heimdex_core.export.captions import POSITIONS, STYLES
from heimdex_core.export.crop import STRATEGIES
from heimdex_core.export.notes import NOTES as EXPORT_NOTES
from heimdex_core.export.quality import QUALITIES
from heimdex_core.ingest import stages
from heimdex_core.jobs.config import QUEUES
from heimdex_core.jobs.status import WorkerState
from heimdex_core.jobs.supervisor import SupervisorState
from heimdex_core.media.subtitles.files import UNUSABLE
from heimdex_core.models.profiles import ALL_KINDS, PROFILES
from heimdex_core.models.profiles import REASONS as PROFILE_REASONS
from heimdex_core.search.channels import CHANNELS
from heimdex_core.search.channels.base import REASONS
from heimdex_core.search.notes import NOTES
from heimdex_core.settings import PRESETS, DetectorName
from heimdex_core.types import SCOPES, ExportState, Owner, Sort, Strength, VideoState
from heimdex_core.types.edits import EditState
from tests.ui.test_notes import codes as note_codes
from ui import identity, state
from ui.i18n import (
    LANGUAGES,
    SPEECH_LANGUAGES,
    app_template,
    describe_error,
    duration,
    format_details,
    pick_language,
    texts,
    time_left,
    tn,
    translate,
)
from ui.page import NAMES
from ui.search_address import FUSIONS
from ui.server.responses import error_response
from ui.server.sign_in import REASONS as REASONS_OF_SIGN_IN
from ui.views.video_list import FILTERS, OWNERS, SORTS

ROOT = Path(__file__).resolve().parents[2]
EN, KO = texts("en"), texts("ko")
ERROR_KEY = re.compile(r"error\.(?P<code>[A-Z_]+)\.(?P<part>message|hint)")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def in_file(language: str) -> dict[str, str]:
    """The texts that a language's own file has."""
    own: dict[str, str] = json.loads((ROOT / "ui" / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
    return own


def test_both_languages_have_the_same_keys() -> None:
    assert set(EN) == set(KO)


def test_texts_have_the_same_fields_in_both_languages() -> None:
    assert {key: fields(EN[key]) ^ fields(KO[key]) for key in EN if fields(EN[key]) != fields(KO[key])} == {}


def test_no_text_is_empty() -> None:
    assert [key for language in (EN, KO) for key, text in language.items() if not text.strip()] == []


def test_korean_uses_one_level_of_politeness() -> None:
    # 해요체 throughout: no formal -ㅂ니다 ending among them
    assert [key for key, text in KO.items() if re.search(r"니다[.!?]?($|\s)", text)] == []


# --- texts of the core ----------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_a_text(language: str) -> None:
    own, wrong = texts(language), []
    for code, cls in error_classes().items():
        details = fields(cls.message_template) | fields(cls.hint_template)
        for part in ("message", "hint"):
            text = own.get(f"error.{code}.{part}")
            if text is None:
                wrong.append(f"{code} has no {part}")
            elif not fields(text) <= details:
                wrong.append(f"the {part} of {code} has a field that the error does not have")
    assert wrong == []


def class_texts() -> dict[str, str]:
    """The English texts of errors as the app derives them from the classes."""
    found: dict[str, str] = {}
    for code, cls in error_classes().items():
        found[f"error.{code}.message"] = app_template(code, cls.message_template)
        found[f"error.{code}.hint"] = app_template(code, cls.hint_template)
    return found


def test_english_error_texts_are_those_of_the_classes() -> None:
    own = in_file("en")
    assert [key for key, text in class_texts().items() if EN[key] != own.get(key, text)] == []


def test_the_english_file_repeats_no_text_of_the_classes() -> None:
    """It has a text of its own only if the app says something else than the command line."""
    core = class_texts()
    assert [key for key, text in in_file("en").items() if text == core.get(key)] == []


def test_units_and_technical_reasons_are_removed_from_error_texts() -> None:
    full, short = "{name} has {size_bytes} bytes in {limit_s} s: {reason}", "{name} has {size_bytes} in {limit_s}"
    assert app_template("A_CODE", full) == f"{short}."
    assert app_template("INVALID_VALUE", full) == f"{short}: {{reason}}"
    assert app_template("A_CODE", "5 bytes: {reason} of {name}") == "5 bytes: {reason} of {name}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_no_texts_of_errors_that_do_not_exist(language: str) -> None:
    codes = {match["code"] for key in in_file(language) if (match := ERROR_KEY.fullmatch(key))}
    assert codes - set(error_classes()) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_labels_of_stages_and_channels_are_those_of_the_core(language: str) -> None:
    labels = {f"stage.{spec.name}": spec.label[language] for spec in stages.SPECS}
    labels |= {f"channel.{spec.kind}": spec.label[language] for spec in CHANNELS}
    assert {key: texts(language).get(key) for key in labels} == labels
    assert [key for key in labels if key in in_file(language)] == []


WHAT = (
    "batch_of_exports", "catalog_of_the_library", "copy_of_the_library", "export", "folder", "index", "index_of",
    "job_database_of_the_library", "lexical_index", "library", "model_of", "move_to_other_models", "picture",
    "check_of_the", "run", "search_index", "sprite", "tables", "transcript_of_video", "vector_index", "video",
    "waveform", "work_folder", "workers_slot_of_this_library",
)  # fmt: skip
"""What the core's errors are about, where that is neither a file nor a folder."""

CORE_NAMES = {
    "abstain.": [*REASONS, "vision.no_known_words", *(f"{spec.kind}.no_matches" for spec in CHANNELS)],
    "channel.": [spec.kind for spec in CHANNELS],
    "detector.": get_args(DetectorName),
    "export_note.": EXPORT_NOTES,
    "filter.owner.": get_args(Owner),
    "export.": [str(state) for state in ExportState if state is not ExportState.COMPLETED],
    "kind.": [*(f"{kind}_model" for kind in ALL_KINDS), "spoken_language"],
    "migration.": ["running", "done", "failed", "cancelled", "interrupted"],
    "model.": ALL_KINDS,
    "model.state.": ["ready", "missing", "broken"],
    "models.about.": PROFILES,
    "models.device.": ["cpu", "cuda"],
    "models.example.": ALL_KINDS,
    "nav.": NAMES,
    "note.": {*note_codes(), "subtitles_empty"},  # stored by an earlier version
    "preset.": PRESETS,
    "problem.": PROBLEMS,
    "profile.": PROFILES,
    "profile.reason.": PROFILE_REASONS,
    "queue.": QUEUES,
    "search_note.": NOTES,
    "speech.": SPEECH_LANGUAGES,
    "stage.": [*(spec.name for spec in stages.SPECS), "render", "check"],
    "sort.": get_args(Sort),
    "state.": [str(state) for state in VideoState],
    "strength.": get_args(Strength),
    "what.": WHAT,
    "why.": UNUSABLE,
    "worker.": {*get_args(SupervisorState), *get_args(WorkerState)},
}
"""The names of the core that the app has a text for, by the prefix of their keys."""


NAMES_OF_PAGES = {
    "chips.": ["liked", "disliked"],
    "explanation.order.": set(get_args(Sort)) - {"score"},
    "edits.state.": set(get_args(EditState)) - {"applied"},
    "exports.kind.": ["short", "reel"],
    "exports.untitled.": ["short", "reel"],
    "short.captions.": STYLES,
    "short.position.": POSITIONS,
    "short.quality.": QUALITIES,
    "short.strategy.": STRATEGIES,
    "filter.": ["speech.true", "speech.false"],
    "fusion.": [*FUSIONS, *(f"{name}.title" for name in FUSIONS)],
    "library.show.": [*FILTERS, *OWNERS],
    "library.sort.": SORTS,
    "scene_facts.": ["vector_text", "vector_vision"],
    "sign_in.problem.": [f"{reason}{part}" for reason in REASONS_OF_SIGN_IN for part in ("", ".hint")],
    "tokens.scope.": SCOPES,
    "settings.theme.": [name.lower() for name in ("System", "Light", "Dark")],
}
"""Other names that have a text, and are defined in another module than the one that shows the text."""


@pytest.mark.parametrize("prefix", CORE_NAMES)
def test_every_name_of_the_core_has_a_text(prefix: str) -> None:
    assert [name for name in CORE_NAMES[prefix] if prefix + name not in EN] == []


# --- keys that are used ---------------------------------------------------------------------------


def source_files() -> list[Path]:
    return [*sorted((ROOT / "ui").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py"))]


def used_keys(tree: ast.Module) -> Iterator[str]:
    """Regular expressions of the keys in a file's calls of t, tn, t_or and translate.

    The values of an f-string are groups. A key in a conditional expression is found in both branches.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        position = {"t": 0, "tn": 0, "t_or": 0, "translate": 1}.get(node.func.id)
        if position is None or len(node.args) <= position:
            continue
        key = node.args[position]
        for branch in (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,):
            pattern = "".join(key_patterns(branch))
            if pattern:
                yield from [rf"{pattern}\.one", rf"{pattern}\.other"] if node.func.id == "tn" else [pattern]


def key_patterns(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield re.escape(str(node.value))
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            yield re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"([\w.]+)"


def strings(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_key_that_is_used_exists() -> None:
    missing, count = [], 0
    for path in source_files():
        for pattern in used_keys(ast.parse(path.read_text(encoding="utf-8"))):
            count += 1
            if not any(re.fullmatch(pattern, key) for key in EN):
                missing.append((path.name, pattern))
    assert missing == []
    assert count > 200, "the keys are found"


def test_every_key_in_the_files_is_used() -> None:
    """The variable part of a key is written in the same file, or it is a name of the core or of another module."""
    used = {f"{prefix}{name}" for prefix, names in CORE_NAMES.items() for name in names}
    used |= {f"error.{code}.{part}" for code in error_classes() for part in ("message", "hint")}
    used |= {f"{prefix}{name}" for prefix, names in NAMES_OF_PAGES.items() for name in names}
    for path in source_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        written = strings(tree) | {str(number) for number in range(10)}
        for pattern in used_keys(tree):
            matches = [(key, re.fullmatch(pattern, key)) for key in EN]
            used |= {key for key, match in matches if match is not None and written.issuperset(match.groups())}
    assert sorted(set(in_file("en")) - used) == []
    assert sorted(set(in_file("ko")) - used) == []


def test_an_unused_key_is_found() -> None:
    """The search above works: it finds the uses in a small source, and nothing else."""
    source = """
names = ("first", "second")
t("a.plain"); tn("a.count", 2); t("a.yes" if names else "a.no"); t_or(f"b.{name}", ""); other("a.not_used")
translate(language, f"c.{code}.hint")
"""
    found = list(used_keys(ast.parse(source)))
    keys = ["a.plain", "a.count.one", "a.count.other", "a.yes", "a.no", "b.first", "c.x.hint"]
    assert [key for key in keys if not any(re.fullmatch(pattern, key) for pattern in found)] == []
    assert not any(re.fullmatch(pattern, "a.not_used") for pattern in found)
    assert {"first", "second"} <= strings(ast.parse(source))


def test_korean_is_only_in_its_file() -> None:
    """A Korean text in the source would be a text that has no key."""
    languages = ROOT / "ui" / "i18n" / "__init__.py"
    for path in source_files():
        if path.name == "particles.py":  # it is about the language itself
            continue
        korean = re.findall(r"[가-힣]+", path.read_text(encoding="utf-8"))
        assert korean == ([LANGUAGES["ko"]] if path == languages else []), path


# --- errors as they are shown ---------------------------------------------------------------------


def test_errors_are_shown_with_readable_numbers() -> None:
    too_large = FileTooLarge(filename="a.mp4", size_bytes=1_300_000_000, limit_bytes=1_073_741_824)
    assert describe_error(too_large.to_dict(), "en")[0] == "a.mp4 is too large (1.3 GB); the limit is 1 GiB."
    assert (
        describe_error(too_large.to_dict(), "ko")[0] == "a.mp4 파일이 너무 커요(1.3 GB). 최대 1 GiB까지 올릴 수 있어요."
    )
    too_long = VideoTooLong(filename="a.mp4", duration_s=3725.0, limit_s=600.0)
    assert describe_error(too_long.to_dict(), "en")[0] == "a.mp4 is 1 h 2 min 5 s long; the limit is 10 min."
    message = "a.mp4의 길이는 1시간 2분 5초예요. 최대 10분까지 올릴 수 있어요."
    assert describe_error(too_long.to_dict(), "ko")[0] == message
    mismatch = DurationMismatch(filename="a.mp4", claimed_s=100.0, measured_s=5.04)
    message = "The header of a.mp4 claims 1 min 40 s, but the file contains 5 s."
    assert describe_error(mismatch.to_dict(), "en")[0] == message
    message = "a.mp4의 파일 정보에 적힌 길이는 1분 40초인데 실제 길이는 5초예요."
    assert describe_error(mismatch.to_dict(), "ko")[0] == message
    used_up = ExportLimitExceeded(current_count=10, limit=10, hours_until_reset=20.84, asked=1, allowed=0).to_dict()
    assert "stops counting in 20 h 50 min." in describe_error(used_up, "en")[1]
    assert describe_error(used_up, "ko")[1].startswith("20시간 50분 뒤부터")
    full = DiskFull(what="a", needed_bytes=999, free_bytes=0)
    message = "There is not enough disk space for writing a: 999 B needed, 0 B free."
    assert describe_error(full.to_dict(), "en")[0] == message


def test_a_technical_reason_is_not_shown() -> None:
    broken = ModelBroken(name="e5", reason="Traceback: /tmp/x")
    assert describe_error(broken.to_dict(), "en")[0] == "The model e5 cannot be used."
    failed = RenderFailed(reason="no frame of clip 2 can be decoded")
    assert describe_error(failed.to_dict(), "en")[0].endswith("rendered: no frame of clip 2 can be decoded")


def test_what_an_error_is_about_is_named_in_the_language() -> None:
    busy = LibraryBusy(what="The search index", pid=7, program="python", seconds=125)
    message = "The search index has been in use by process 7 (python) for 2 min 5 s."
    assert describe_error(busy.to_dict(), "en")[0] == message
    assert describe_error(busy.to_dict(), "ko")[0] == "프로세스 7(python)에서 2분 5초째 사용 중이에요: 검색 인덱스"
    damaged = LibraryDamaged(what="the index of text/e5", reason="x")
    assert describe_error(damaged.to_dict(), "ko")[0] == "라이브러리의 text/e5 인덱스 파일을 읽을 수 없어요."
    damaged = LibraryDamaged(what="library.json", reason="x")
    assert describe_error(damaged.to_dict(), "ko")[0] == "라이브러리의 library.json 파일을 읽을 수 없어요."


def test_a_member_hears_nothing_of_processes_and_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = LibraryBusy(what="The search index", pid=7, program="python", seconds=125)
    monkeypatch.setattr(state, "is_member", lambda: True)
    message = "The search index has been in use for 2 min 5 s."
    assert describe_error(busy.to_dict(), "en") == (
        message, "Try again in a moment. If it goes on, ask an admin of the library.",
    )  # fmt: skip
    assert describe_error(busy.to_dict(), "ko")[0] == "2분 5초째 사용 중이에요: 검색 인덱스"
    monkeypatch.setattr(identity, "is_configured", lambda: True)
    answer = bytes(error_response(busy, "ko").body).decode()
    assert "kill" not in answer
    assert "python" not in answer
    away = LibraryNotFound(path="/srv/films")
    assert describe_error(away.to_dict(), "en")[0] == "The library is not where this server looks for it."
    assert "/srv" not in " ".join(describe_error(away.to_dict(), "ko"))
    assert "/srv" not in bytes(error_response(away).body).decode()


def test_every_phrase_for_what_an_error_is_about_has_a_text() -> None:
    phrase = re.compile(r"""what(?:: str)? ?= ?f?"((?:[Tt]he|[Aa]n?|This) [^"]+)\"""")
    found = {
        match
        for path in sorted((ROOT / "heimdex_core").rglob("*.py"))
        for match in phrase.findall(path.read_text("utf-8"))
    }
    shown = {text: format_details({"what": re.sub(r"\{[^}]+\}", "x", text)}, "ko")["what"] for text in found}
    assert len(found) > 8, "the phrases are found"
    assert {text for text, korean in shown.items() if not re.search("[가-힣]", korean)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_that_have_a_unit_get_no_second_one(language: str) -> None:
    doubled = re.compile(r"\{\w+_s\}\s?(s\b|초|분)|\{\w+_bytes\}\s?(bytes\b|바이트)")
    assert [key for key, text in texts(language).items() if key.startswith("error.") and doubled.search(text)] == []


@pytest.mark.parametrize(
    ("seconds", "parts", "english", "korean"),
    [
        (0.0, 2, "0 s", "0초"),
        (0.84, 2, "0.8 s", "0.8초"),
        (59.96, 2, "1 min", "1분"),  # not "60 s"
        (224.0, 2, "3 min 44 s", "3분 44초"),
        (3600.0, 2, "1 h", "1시간"),
        (3725.0, 2, "1 h 2 min", "1시간 2분"),
        (3725.0, 3, "1 h 2 min 5 s", "1시간 2분 5초"),
        (7199.0, 2, "2 h", "2시간"),  # not "1 h 60 min"
        (59 * 60 + 59.7, 2, "1 h", "1시간"),
        (86_400.0, 2, "24 h", "24시간"),
        (2 * 86_400.0 + 3 * 3600, 2, "2 days 3 h", "2일 3시간"),
        (12_345 * 86_400.0, 1, "12,345 days", "12,345일"),
    ],
)
def test_durations_in_words(seconds: float, parts: int, english: str, korean: str) -> None:
    assert duration(seconds, parts=parts, language="en") == english
    assert duration(seconds, parts=parts, language="ko") == korean


def test_time_left_is_rounded_to_what_an_estimate_can_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.state.language", lambda: "en")
    found = [time_left(seconds) for seconds in (0.2, 45.4, 100.0, 3700.0)]
    assert found == ["about 1 s left", "about 45 s left", "about 2 min left", "about 1 h 2 min left"]


def test_counts_have_their_thousands_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    for language, one, many in (("en", "1 scene", "12,345 scenes"), ("ko", "장면 1개", "장면 12,345개")):
        monkeypatch.setattr("ui.state.language", lambda language=language: language)
        assert (tn("library.scenes", 1), tn("library.scenes", 12_345)) == (one, many)


def test_a_profile_is_named_in_messages_and_by_its_own_name_in_commands() -> None:
    message, hint = describe_error(ProfileMismatch(pinned="offline", asked="laptop").to_dict(), "en")
    assert message == "This library uses the Basic models, not the Laptop models."
    assert "--profile laptop" in hint


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_the_core_are_shown_as_labels(language: str) -> None:
    failed = StageFailed(stage="transcript", reason="x")
    assert stages.find("transcript").label[language] in describe_error(failed.to_dict(), language)[0]
    refused = InvalidTransition(state="processing", wanted="deleted")
    assert translate(language, "state.processing") in describe_error(refused.to_dict(), language)[0]
    unknown = UnknownName(kind="speech model", name="smal", known="small")
    assert translate(language, "kind.speech_model") in describe_error(unknown.to_dict(), language)[0]
    newer = StageFailed(stage="of_a_newer_core", reason="x")
    assert "of_a_newer_core" in describe_error(newer.to_dict(), language)[0]


def test_an_error_of_a_newer_core_keeps_its_own_text() -> None:
    error = {"code": "FROM_THE_FUTURE", "message": "It rained.", "hint": "Take an umbrella.", "details": {}}
    assert describe_error(error, "ko") == ("It rained.", "Take an umbrella.")


@pytest.mark.parametrize(
    ("requested", "chosen"),
    [
        (("ko-KR",), "ko"),
        ((None, "ko"), "ko"),
        (("fr", "ko_KR"), "ko"),
        (("fr",), "en"),
        ((), "en"),
        (("EN-us",), "en"),
    ],
)
def test_the_first_requested_language_that_exists_is_chosen(requested: tuple[str | None, ...], chosen: str) -> None:
    assert pick_language(*requested) == chosen
    assert chosen in LANGUAGES


def test_a_value_with_braces_is_not_read_as_a_template() -> None:
    assert translate("en", "library.deleted", title="{0.__class__}") == "{0.__class__} was deleted."
