"""The colours of the style sheet: text and background have a contrast of at least 4.5 to 1."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "ui" / "styles" / "app.css").read_text(encoding="utf-8")
COLOURS = {
    name: pair for name, *pair in re.findall(r"--hx-([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS)
}
BACKGROUNDS = ("bg", "panel", "bar")
TEXTS = ("text", "muted", "accent", "said", "seen", "words", "danger")
PAIRS = [(text, background) for text in TEXTS for background in BACKGROUNDS]
PAIRS += [("on-accent", "accent-fill"), ("mark-text", "mark"), ("text", "accent-soft"), ("muted", "accent-soft")]


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as defined in WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("text", "background"), PAIRS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable(text: str, background: str, theme: str) -> None:
    at = ["light", "dark"].index(theme)
    assert contrast(COLOURS[text][at], COLOURS[background][at]) >= 4.5


def test_streamlits_widgets_have_the_same_background() -> None:
    config = (Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    light, dark = COLOURS["bg"]
    assert f'backgroundColor = "{light}"' in config
    assert f'backgroundColor = "{dark}"' in config
