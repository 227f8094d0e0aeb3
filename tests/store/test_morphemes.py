"""Korean words without their particles and endings."""

from __future__ import annotations

import logging
import subprocess
import sys
import unicodedata

import pytest

from heimdex_core.store import analysis, morphemes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("밤에 자전거를 타고 달렸다", ["밤/", "자전거/", "타/", "달리/"]),
        ("추웠어요", ["춥/"]),
        ("어두운 밤", ["어둡/", "밤/"]),
        # nearly every sentence has these verbs
        ("공부하고 있어요", ["공부/"]),
        ("a boat 2026", []),
    ],
)
def test_particles_and_endings_are_left_out(text: str, expected: list[str]) -> None:
    assert analysis.morpheme_terms(text) == expected


def test_they_stand_behind_the_terms_of_the_text() -> None:
    assert analysis.for_index("밤에 bikes") == "밤에 bike 밤/"
    assert analysis.parse_query('밤에 "어두운 밤"').words == ("밤에", "밤/")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_what_matched_is_marked_in_the_text_as_it_was_given(form: str) -> None:
    text = unicodedata.normalize(form, "어제 밤에 달렸다")  # type: ignore[arg-type]
    spans = analysis.match_spans(text, analysis.parse_query("밤 달리다").terms)
    assert [unicodedata.normalize("NFC", text[start:end]) for start, end in spans] == ["밤", "달렸"]


def test_nothing_is_loaded_before_the_first_hangul() -> None:
    code = (
        "import sys; from heimdex_core.store import analysis, morphemes;"
        "analysis.for_index('bread 東京'); analysis.parse_query('bread');"
        "sys.exit('kiwipiepy' in sys.modules or not morphemes.is_ready('bread') or morphemes.is_ready('밤'))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_analyser_syllables_are_compared(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    monkeypatch.setattr(morphemes, "_analyser", morphemes._Analyser())
    with caplog.at_level(logging.WARNING):
        assert analysis.for_index("밤에") == "밤에"
        assert analysis.parse_query("자전거").words == ("자전", "전거")
    assert caplog.text.count("syllables only") == 1
