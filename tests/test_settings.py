"""The defaults, and that docs/settings.md lists them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from heimdex_core.settings import PRESETS, Settings, default_weights

DOCUMENT = (Path(__file__).parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`HEIMDEX_{name.upper()}`" in DOCUMENT


def test_the_environment_overrides_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIMDEX_MAX_DURATION_S", "7200")
    assert Settings().max_duration_s == 7200


def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIMDEX_MAX_FILE_BYTES", "-1")
    with pytest.raises(ValidationError):
        Settings()


def test_the_secret_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIMDEX_SECRET", "hunter2")
    assert "hunter2" not in repr(Settings())


def test_presets_sum_to_one() -> None:
    assert PRESETS["balanced"] == default_weights(Settings())
    for weights in PRESETS.values():
        assert sum(weights.values()) == pytest.approx(1.0)
