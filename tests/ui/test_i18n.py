"""The words of the app: the same keys and fields in both languages, and none missing that is used."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import DiskFull, DurationMismatch, FileTooLarge, VideoTooLong, error_classes
from heimdex_core.ingest.progress import STAGES
from heimdex_core.search.channels.base import REASONS
from heimdex_core.settings import PRESETS
from heimdex_core.types import ExportState, VideoState
from ui.i18n import LANGUAGES, describe_error, pick_language, translate, words
from ui.navigation import NAMES

ROOT = Path(__file__).resolve().parents[2]
EN, KO = words("en"), words("ko")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_have_the_same_keys() -> None:
    assert set(EN) == set(KO)


@pytest.mark.parametrize("key", sorted(EN))
def test_a_text_has_the_same_fields_in_both(key: str) -> None:
    assert fields(EN[key]) == fields(KO[key])
    assert EN[key].strip()
    assert KO[key].strip()


def test_korean_is_polite_in_one_manner() -> None:
    # 해요체 throughout: no formal -ㅂ니다 ending among them
    assert [key for key, text in KO.items() if re.search(r"니다[.!?]?($|\s)", text)] == []


@pytest.mark.parametrize("code", sorted(error_classes()))
def test_every_error_is_told_in_both(code: str) -> None:
    cls = error_classes()[code]
    offered = fields(cls.message_template) | fields(cls.hint_template)
    for part in ("message", "hint"):
        key = f"error.{code}.{part}"
        assert key in EN
        assert fields(EN[key]) <= offered, f"{key} wants a detail that the error does not carry"


def test_no_error_text_is_left_over() -> None:
    codes = {key.split(".")[1] for key in EN if re.fullmatch(r"error\.[A-Z_]+\.(message|hint)", key)}
    assert codes == set(error_classes())


EXPECTED = {
    "state.": [str(state) for state in VideoState],
    "export.": [str(state) for state in ExportState if state is not ExportState.COMPLETED],
    "stage.": list(STAGES),
    "abstain.": list(REASONS),
    "preset.": list(PRESETS),
    "nav.": list(NAMES),
    "channel.": ["transcript", "vision", "caption", "lexical"],
    "model.": ["speech", "text", "vision"],
    "worker.": ["starting", "idle", "working", "stopping", "stopped", "running", "waiting", "elsewhere"],
}


@pytest.mark.parametrize("prefix", sorted(EXPECTED))
def test_what_the_core_can_say_has_words(prefix: str) -> None:
    assert [name for name in EXPECTED[prefix] if prefix + name not in EN] == []


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


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_key_that_is_used_exists(path: Path) -> None:
    missing = []
    for function, pattern in used_keys(path):
        forms = [pattern + r"\.one", pattern + r"\.other"] if function == "tn" else [pattern]
        missing += [form for form in forms if not any(re.fullmatch(form, key) for key in EN)]
    assert missing == []


def test_pages_speak_only_through_keys() -> None:
    """No letters between quotation marks reach the screen by another way: Korean stands only in the two files."""
    for path in source_files():
        if path.name == "__init__.py" and path.parent.name == "i18n":
            continue
        assert not re.search(r"[가-힣]", path.read_text(encoding="utf-8")), path


def test_errors_are_told_with_readable_numbers() -> None:
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


def test_an_error_of_a_newer_core_keeps_its_own_words() -> None:
    error = {"code": "FROM_THE_FUTURE", "message": "It rained.", "hint": "Take an umbrella.", "details": {}}
    assert describe_error(error, "ko") == ("It rained.", "Take an umbrella.")


@pytest.mark.parametrize(
    ("wishes", "spoken"),
    [
        (("ko-KR",), "ko"),
        ((None, "ko"), "ko"),
        (("fr", "ko_KR"), "ko"),
        (("fr",), "en"),
        ((), "en"),
        (("EN-us",), "en"),
    ],
)
def test_the_language_is_the_first_that_we_speak(wishes: tuple[str | None, ...], spoken: str) -> None:
    assert pick_language(*wishes) == spoken
    assert spoken in LANGUAGES


def test_a_value_with_braces_is_not_read_as_a_template() -> None:
    assert translate("en", "library.deleted", title="{0.__class__}") == "{0.__class__} was deleted."
