"""The texts of the app: the same keys and fields in both languages, and a text for every key that is used."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import DiskFull, DurationMismatch, FileTooLarge, VideoTooLong, error_classes
from heimdex_core.ingest import stages
from heimdex_core.search.channels import CHANNELS
from heimdex_core.search.channels.base import REASONS
from heimdex_core.settings import PRESETS
from heimdex_core.types import ExportState, VideoState
from ui.i18n import describe_error, pick_language, translate, words
from ui.languages import LANGUAGES
from ui.navigation import NAMES

ROOT = Path(__file__).resolve().parents[2]
EN, KO = words("en"), words("ko")
ERROR_KEY = re.compile(r"error\.(?P<code>[A-Z_]+)\.(?P<part>message|hint)")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def in_file(language: str) -> dict[str, str]:
    """The texts that a language's own file has."""
    texts: dict[str, str] = json.loads((ROOT / "ui" / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
    return texts


def test_both_languages_have_the_same_keys() -> None:
    assert set(EN) == set(KO)


def test_texts_have_the_same_fields_in_both_languages() -> None:
    assert {key: fields(EN[key]) ^ fields(KO[key]) for key in EN if fields(EN[key]) != fields(KO[key])} == {}


def test_no_text_is_empty() -> None:
    assert [key for texts in (EN, KO) for key, text in texts.items() if not text.strip()] == []


def test_korean_uses_one_level_of_politeness() -> None:
    # 해요체 throughout: no formal -ㅂ니다 ending among them
    assert [key for key, text in KO.items() if re.search(r"니다[.!?]?($|\s)", text)] == []


# --- texts of the core ----------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_a_text(language: str) -> None:
    texts, wrong = words(language), []
    for code, cls in error_classes().items():
        details = fields(cls.message_template) | fields(cls.hint_template)
        for part in ("message", "hint"):
            text = texts.get(f"error.{code}.{part}")
            if text is None:
                wrong.append(f"{code} has no {part}")
            elif not fields(text) <= details:
                wrong.append(f"the {part} of {code} has a field that the error does not have")
    assert wrong == []


def test_english_error_texts_are_those_of_the_classes() -> None:
    own = in_file("en")
    for code, cls in error_classes().items():
        for part, template in (("message", cls.message_template), ("hint", cls.hint_template)):
            key = f"error.{code}.{part}"
            assert EN[key] == own.get(key, template)


def test_the_english_file_does_not_repeat_the_classes() -> None:
    """It has a text of its own only where the app says something else than the command line."""
    templates: dict[str, str] = {}
    for code, cls in error_classes().items():
        templates |= {f"error.{code}.message": cls.message_template, f"error.{code}.hint": cls.hint_template}
    assert [key for key, text in in_file("en").items() if text == templates.get(key)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_no_texts_of_errors_that_do_not_exist(language: str) -> None:
    codes = {match["code"] for key in in_file(language) if (match := ERROR_KEY.fullmatch(key))}
    assert codes - set(error_classes()) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_stage_has_a_label(language: str) -> None:
    assert [spec.name for spec in stages.SPECS if not spec.label.get(language, "").strip()] == []
    assert {name: words(language).get(f"stage.{name}") for name in (spec.name for spec in stages.SPECS)} == {
        spec.name: spec.label[language] for spec in stages.SPECS
    }


EXPECTED = {
    "state.": [str(state) for state in VideoState],
    "export.": [str(state) for state in ExportState if state is not ExportState.COMPLETED],
    "abstain.": list(REASONS),
    "preset.": list(PRESETS),
    "nav.": list(NAMES),
    "channel.": [spec.kind for spec in CHANNELS],
    "model.": ["speech", "text", "vision"],
    "worker.": ["starting", "idle", "working", "stopping", "stopped", "running", "waiting", "elsewhere"],
}


@pytest.mark.parametrize("prefix", EXPECTED)
def test_every_name_of_the_core_has_a_text(prefix: str) -> None:
    assert [name for name in EXPECTED[prefix] if prefix + name not in EN] == []


# --- keys that are used ---------------------------------------------------------------------------


def source_files() -> list[Path]:
    return [*sorted((ROOT / "ui").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py"))]


def used_keys(path: Path) -> Iterator[tuple[str, str]]:
    """(function, key or regular expression) of every t(...) in a file; f-strings match by their fixed parts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        if node.func.id not in ("t", "tn", "t_or"):
            continue
        first = node.args[0]
        if isinstance(first, ast.Constant):
            yield node.func.id, re.escape(str(first.value))
        elif isinstance(first, ast.JoinedStr):
            parts = [re.escape(str(p.value)) if isinstance(p, ast.Constant) else r"[\w.]+" for p in first.values]
            yield node.func.id, "".join(parts)
        elif isinstance(first, ast.IfExp):
            for branch in (first.body, first.orelse):
                if isinstance(branch, ast.Constant):
                    yield node.func.id, re.escape(str(branch.value))


def test_every_key_that_is_used_exists() -> None:
    missing, count = [], 0
    for path in source_files():
        for function, pattern in used_keys(path):
            count += 1
            forms = [pattern + r"\.one", pattern + r"\.other"] if function == "tn" else [pattern]
            missing += [(path.name, form) for form in forms if not any(re.fullmatch(form, key) for key in EN)]
    assert missing == []
    assert count > 200, "the keys are found"


def test_korean_is_only_in_its_file() -> None:
    """A Korean text in the source would be a text that does not go through the keys."""
    names_of_languages = ROOT / "ui" / "languages.py"
    for path in source_files():
        if path != names_of_languages:
            assert not re.search(r"[가-힣]", path.read_text(encoding="utf-8")), path


# --- errors as they are shown ---------------------------------------------------------------------


def test_errors_are_shown_with_readable_numbers() -> None:
    too_large = FileTooLarge(filename="a.mp4", size_bytes=1_300_000_000, limit_bytes=1_073_741_824)
    assert describe_error(too_large.to_dict(), "en")[0] == "a.mp4 has 1.3 GB; the limit is 1 GiB."
    assert describe_error(too_large.to_dict(), "ko")[0] == "a.mp4의 크기는 1.3 GB예요. 최대 1 GiB까지 올릴 수 있어요."
    too_long = VideoTooLong(filename="a.mp4", duration_s=3725.0, limit_s=600.0)
    assert describe_error(too_long.to_dict(), "en")[0] == "a.mp4 lasts 1:02:05; the limit is 10:00."
    mismatch = DurationMismatch(filename="a.mp4", claimed_s=100.0, measured_s=5.04)
    assert describe_error(mismatch.to_dict(), "en")[0] == "a.mp4 says it lasts 1:40 but holds 5 s."
    assert describe_error(mismatch.to_dict(), "ko")[0] == "a.mp4의 길이 정보는 1:40인데 실제로는 5초예요."
    full = DiskFull(what="a", needed_bytes=999, free_bytes=0)
    assert describe_error(full.to_dict(), "en")[0] == "The disk is full: 999 B are needed, 0 B are free."


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
