"""How a file is treated follows from its tags; the curves and tables of tone mapping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core.media import tone_mapping
from heimdex_core.media.colour import ColourTags, treatment_for
from heimdex_core.types import PictureTreatment
from tests.media.colours import CHROMA_TOLERANCE, HDR_PATCHES, assert_patches, shown
from tests.media.conftest import Shared
from tests.support import colour_media
from tests.support.colour_media import patch_colours

# --- the rule -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, {"matrix": "bt601"}),
        ({"width": 1280, "height": 544}, {"matrix": "bt709"}),
        ({"width": 406, "height": 720}, {"matrix": "bt709"}),
        ({"width": 720, "height": 576}, {"matrix": "bt601"}),
        ({"matrix": 1}, {"matrix": "bt709"}),
        ({"matrix": 6}, {"matrix": "bt601"}),
        ({"matrix": 7}, {"matrix": "smpte240m"}),
        ({"matrix": 4}, {"matrix": "fcc"}),
        ({"matrix": 9}, {"matrix": "bt2020"}),
        ({"matrix": 12, "primaries": 9}, {"matrix": "bt2020"}),
        ({"matrix": 10, "primaries": 9}, {"matrix": "bt2020"}),
        ({"range": 2}, {"full_range": True}),
        ({"range": 1}, {"full_range": False}),
        ({"pixel_format": "yuvj420p"}, {"full_range": True}),
        ({"pixel_format": "gray10le"}, {"full_range": True}),
        ({"pixel_format": "gray", "range": 1}, {"full_range": False}),
        ({"pixel_format": "gbrp", "matrix": 0}, {"matrix": "rgb", "full_range": True, "notes": ()}),
        ({"pixel_format": "pal8"}, {"matrix": "rgb", "alpha": True}),
        ({"pixel_format": "yuva444p10le"}, {"alpha": True}),
        ({"codec": "vp9", "has_alpha_layer": True}, {"alpha": True}),
        ({"transfer": 16, "primaries": 9}, {"transfer": "pq", "primaries": "bt2020"}),
        ({"transfer": 18}, {"transfer": "hlg", "primaries": "bt2020"}),
        ({"transfer": 16, "primaries": 12}, {"transfer": "pq", "primaries": "p3"}),
        ({"transfer": 14, "primaries": 9}, {"transfer": "sdr", "primaries": "bt2020"}),
    ],
)
def test_a_treatment_follows_from_the_tags(tags: dict[str, object], expected: dict[str, object]) -> None:
    usual: dict[str, object] = {"pixel_format": "yuv420p", "width": 640, "height": 360}
    found = treatment_for(ColourTags(**{**usual, **tags}))  # type: ignore[arg-type]
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("tags", "note"),
    [
        ({"transfer": 16, "primaries": 9}, "tone_mapped:PQ"),
        ({"transfer": 18, "primaries": 9}, "tone_mapped:HLG"),
        ({"primaries": 9}, "wide_gamut:BT.2020"),
        ({"primaries": 12}, "wide_gamut:P3"),
        ({"matrix": 14}, "matrix_replaced:ICtCp → BT.601"),
        ({"matrix": 0}, "matrix_replaced:RGB → BT.601"),
        ({"matrix": 8, "height": 720}, "matrix_replaced:YCgCo → BT.709"),
        ({"matrix": 99}, "matrix_replaced:99 → BT.601"),
        ({"codec_tag": "dvh1"}, "dolby_vision"),
    ],
)
def test_what_is_unusual_is_noted(tags: dict[str, object], note: str) -> None:
    usual: dict[str, object] = {"pixel_format": "yuv420p", "width": 640, "height": 360}
    assert treatment_for(ColourTags(**{**usual, **tags})).notes == (note,)  # type: ignore[arg-type]


def test_a_dolby_vision_file_with_an_hdr10_base_is_hdr10() -> None:
    tags = ColourTags("yuv420p10le", 3840, 2160, matrix=9, primaries=9, transfer=16, codec_tag="dvh1")
    assert treatment_for(tags).notes == ("tone_mapped:PQ",)


@pytest.mark.parametrize("matrix", range(20))
@pytest.mark.parametrize("pixel_format", ["yuv420p", "gbrp", "gray", "ya8"])
def test_every_matrix_gives_one_that_can_be_converted(matrix: int, pixel_format: str) -> None:
    found = treatment_for(ColourTags(pixel_format, 640, 360, matrix=matrix))
    assert found.matrix in ("bt709", "bt601", "fcc", "smpte240m", "bt2020", "rgb")


def test_a_treatment_survives_json() -> None:
    made = PictureTreatment(matrix="bt2020", transfer="pq", field_order="bff", alpha=True, notes=("interlaced",))
    from heimdex_core.types import to_json

    assert PictureTreatment.from_json(to_json(made)) == made


# --- tone mapping ---------------------------------------------------------------------------------


def signal_of(light_cd_m2: float) -> np.ndarray:
    """(1, 3) PQ of a gray of so much light, by the inverse EOTF of BT.2100."""
    power = (light_cd_m2 / 10_000) ** (2610 / 16384)
    return np.full((1, 3), ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32))


@pytest.mark.parametrize(
    ("light_cd_m2", "code"),
    # 43.8 = 0.2159 * 203, the light of sRGB 128, and 107.0 = 0.5271 * 203 that of 192, are below the knee
    [(0.0, 0.0), (43.8, 128.0), (107.0, 192.0), (203.0, 240.9), (1000.0, 255.0), (10_000.0, 255.0)],
)
def test_pq_becomes_srgb(light_cd_m2: float, code: float) -> None:
    found = tone_mapping.convert(signal_of(light_cd_m2), "pq", "bt2020") * 255
    assert found == pytest.approx(np.full((1, 3), code), abs=0.2)


def test_hlg_of_three_quarters_is_reference_white() -> None:
    """BT.2408: 75 % HLG is 203 cd/m2 on a display of 1000 cd/m2."""
    assert tone_mapping.convert(np.full((1, 3), 0.75), "hlg", "bt2020") * 255 == pytest.approx(240.9, abs=0.3)


def test_wide_gamut_keeps_grays_and_clips_what_no_screen_shows() -> None:
    signal = np.array([[0.2, 0.2, 0.2], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    found = tone_mapping.convert(signal, "sdr", "bt2020")
    assert found[:2] == pytest.approx(signal[:2], abs=1e-6)
    assert found[2].tolist() == [0.0, 1.0, 0.0]


def test_the_tone_curve_rises_without_a_bend() -> None:
    light = np.linspace(0, 5, 2000)
    slope = np.diff(tone_mapping.compress(light)) / np.diff(light)
    assert slope[:-40].min() > 0
    assert slope.max() == pytest.approx(1.0, abs=1e-6)
    assert np.diff(slope).max() < 1e-6  # it only ever gets flatter


def test_a_table_is_kept_and_read_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Shared
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a b:c'd,[e];f\\g %h = 캐시"))
    path = shared(colour_media.hdr, "pq.mkv", "pq")
    assert_patches(path, tmp_path, HDR_PATCHES, CHROMA_TOLERANCE)
    kept = tone_mapping.lut_path("pq", "bt2020")
    assert tmp_path in kept.parents
    written = kept.stat().st_mtime_ns
    assert tone_mapping.lut_path("pq", "bt2020") == kept
    assert kept.stat().st_mtime_ns == written


def test_a_table_goes_to_the_temporary_folder_where_the_cache_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tone_mapping.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    assert tmp_path / "temporary" in tone_mapping.lut_path("hlg", "bt2020").parents


def test_without_a_place_for_the_table_hdr_is_shown_as_it_is_coded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Shared, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tone_mapping.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    image = shown(shared(colour_media.hdr, "pq.mkv", "pq"))
    # PQ of 203 cd/m2 is 0.5807
    assert patch_colours(image)[0, 0] == pytest.approx(0.5807 * 255, abs=2)
    assert "colours are shown as they are coded" in caplog.text
