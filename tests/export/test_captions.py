"""Captions as they are drawn: where the pixels are, which font has which character, what a file name may hold."""

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from heimdex_core.errors import UnknownName
from heimdex_core.export.captions import ABOVE_CAPTIONS, STYLES, correct_cue, make_cues, write_captions
from heimdex_core.export.captions.fonts import Fonts, clusters
from heimdex_core.export.captions.layout import MARGIN_SHARE, TextArea, lay_out
from heimdex_core.export.captions.words import shared_times
from heimdex_core.media.burning import CaptionLayer, caption_filter
from heimdex_core.media.ffmpeg import ffmpeg_path
from heimdex_core.types import Cue, Word

WIDTH, HEIGHT = 270, 480
ENGLISH = "So when the scene ends, we never cut"
KOREAN = "장면이 끝나면 문장 한가운데서 말하는 사람을"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
ARABIC = "مرحبا بكم في هذا الفيديو"


def cue(text: str) -> Cue:
    return correct_cue(Cue(0.0, 4.0, "", ()), text)


def drawn(layer: CaptionLayer, at_s: float, size: tuple[int, int] = (WIDTH, HEIGHT)) -> npt.NDArray[np.int16]:
    """(height, width, 3) of a grey picture with the captions."""
    source = f"color=c=0x808080:s={size[0]}x{size[1]}:r=10:d={at_s + 0.1},format=yuv444p"
    args = ["-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", source, "-vf", caption_filter(layer)]
    args += ["-ss", str(at_s), "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    pixels = subprocess.run([ffmpeg_path(), *args], capture_output=True, check=True).stdout
    return np.frombuffer(pixels, np.uint8).reshape(size[1], size[0], 3).astype(np.int16)


def extent(picture: npt.NDArray[np.int16]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of what is not grey, in pixels."""
    changed = np.abs(picture - picture[0, 0]).max(axis=2) > 12
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("text", [ENGLISH, KOREAN, LONG], ids=["english", "korean", "long"])
def test_safe_captions_stay_inside(tmp_path: Path, style: str, text: str) -> None:
    layer = write_captions([cue(text)], tmp_path / "c.ass", width=WIDTH, height=HEIGHT, style=style, position="safe")
    left, top, right, bottom = extent(drawn(layer, 0.2))
    assert bottom <= HEIGHT * 0.85
    assert top >= HEIGHT * 0.7
    # a pixel for what is drawn between pixels
    assert left >= WIDTH * MARGIN_SHARE - 1
    assert right <= WIDTH * (1 - MARGIN_SHARE) + 1
    assert abs((left + right) / 2 - WIDTH / 2) < 4


@pytest.mark.parametrize(
    ("position", "size", "top", "bottom"),
    [
        ("low", (270, 480), 0.75, 0.85),
        ("middle", (270, 480), 0.4, 0.6),
        ("low", (480, 270), 0.8, 0.96),
        ("low", (270, 270), 0.8, 0.96),
    ],
)
def test_the_other_positions(tmp_path: Path, position: str, size: tuple[int, int], top: float, bottom: float) -> None:
    width, height = size
    layer = write_captions(
        [cue("Middle")], tmp_path / "c.ass", width=width, height=height, style="boxed", position=position
    )
    found = extent(drawn(layer, 0.2, size))
    assert height * top <= found[1] < found[3] <= height * bottom


@pytest.mark.parametrize(
    ("position", "size"), [("safe", (270, 480)), ("low", (270, 480)), ("low", (480, 270)), ("low", (270, 270))]
)
def test_what_stands_above_captions_does_not_touch_them(tmp_path: Path, position: str, size: tuple[int, int]) -> None:
    width, height = size
    two_lines = cue("So when the scene ends, we never cut away from it, ever")
    places = []
    for text, place in ((two_lines, position), (cue("A title"), ABOVE_CAPTIONS)):
        layer = write_captions([text], tmp_path / "c.ass", width=width, height=height, style="boxed", position=place)
        places.append(extent(drawn(layer, 0.2, size)))
    assert places[1][3] < places[0][1]


@pytest.mark.parametrize(("text", "leftmost"), [("two one", 0), ("שלום עולם", 1)], ids=["latin", "hebrew"])
def test_karaoke_colours_the_word_that_is_said(tmp_path: Path, text: str, leftmost: int) -> None:
    # the two words are said in the first and the last part of 4 s; Hebrew begins at the right
    layer = write_captions(
        [cue(text)], tmp_path / "c.ass", width=WIDTH, height=HEIGHT, style="karaoke", position="safe"
    )
    middles = []
    for at_s in (0.5, 3.5):
        picture = drawn(layer, at_s)
        yellow = (picture[..., 0] > 180) & (picture[..., 1] > 150) & (picture[..., 2] < 110)
        middles.append(float(np.flatnonzero(yellow.any(axis=0)).mean()))
    assert (middles[0] < middles[1]) is (leftmost == 0)


def test_a_folder_may_be_called_anything(tmp_path: Path) -> None:
    folder = tmp_path / "it's [a]; 50%, b:c\\d = 한글"
    folder.mkdir()
    layer = write_captions([cue("x")], folder / "c.ass", width=WIDTH, height=HEIGHT, style="plain", position="safe")
    assert extent(drawn(layer, 0.2))[3] <= HEIGHT * 0.85


def test_commands_in_the_text_are_drawn_as_text(tmp_path: Path) -> None:
    made = []
    for text in ("{\\b1}x", "x"):
        layer = write_captions([cue(text)], tmp_path / "c.ass", width=WIDTH, height=HEIGHT, style="plain",
                               position="safe")  # fmt: skip
        left, _, right, _ = extent(drawn(layer, 0.2))
        made.append(right - left)
    assert made[0] > 3 * made[1]


def test_times_are_those_of_the_output(tmp_path: Path) -> None:
    cues = [Cue(9.0, 9.9, "before", ()), Cue(9.5, 12.0, "at once", ()), Cue(12.0, 3612.345, "later", ()), cue("")]
    write_captions(cues, tmp_path / "c.ass", width=WIDTH, height=HEIGHT, style="plain", position="low", offset_s=10)
    lines = [line for line in (tmp_path / "c.ass").read_text("utf-8").splitlines() if line.startswith("Dialogue")]
    times = [line.split(",")[1:3] for line in lines]
    assert times == [["0:00:00.00", "0:00:02.00"], ["0:00:02.00", "1:00:02.34"]]


@pytest.mark.parametrize(("style", "position"), [("neon", "safe"), ("plain", "top")])
def test_unknown_names_are_refused(tmp_path: Path, style: str, position: str) -> None:
    with pytest.raises(UnknownName):
        write_captions([], tmp_path / "c.ass", width=WIDTH, height=HEIGHT, style=style, position=position)


def test_lines_are_broken_by_sense_and_fit() -> None:
    fonts, area = Fonts([ENGLISH]), TextArea.of(1080, 1920, 0.1)
    (laid,) = lay_out(cue("So when the scene ends, we never cut"), fonts, area)
    assert [" ".join(w.text for w in line) for line in laid.lines] == ["So when the scene ends,", "we never cut"]


def test_too_much_text_is_shown_one_part_after_the_other() -> None:
    words = shared_times((ENGLISH + " " + ENGLISH + " " + ENGLISH).split(), 0.0, 4.0)
    long = Cue(0.0, 4.0, "", ())
    laid = lay_out(correct_cue(long, " ".join(w.text for w in words)), Fonts(), TextArea.of(1080, 1920, 0.1))
    assert len(laid) > 1
    assert all(len(part.lines) <= 2 for part in laid)
    assert [a.end_s for a in laid[:-1]] == [b.start_s for b in laid[1:]]
    assert [w.text for part in laid for line in part.lines for w in line] == [w.text for w in words]


def test_what_no_font_has_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heimdex_core.export.captions.fonts._installed_face", lambda character: None)
    layer = write_captions(
        [cue("Good 😀 job 🎉 \U0001f680")],
        tmp_path / "c.ass",
        width=WIDTH,
        height=HEIGHT,
        style="plain",
        position="low",
    )
    written = (tmp_path / "c.ass").read_text("utf-8")
    assert layer.left_out == "🎉\U0001f680"
    assert "😀" in written
    assert "🎉" not in written


def test_a_character_without_an_outline_is_not_in_a_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heimdex_core.export.captions.fonts._installed_face", lambda character: None)
    # NanumSquare names these, and would draw nothing
    layer = write_captions(
        [cue("각 갂 日本 •")], tmp_path / "c.ass", width=WIDTH, height=HEIGHT, style="plain", position="safe"
    )
    assert layer.left_out == "갂日本"
    [bullet] = Fonts().runs("•")
    assert bullet[0].family == "DejaVu Sans"


def test_a_missing_font_is_said(tmp_path: Path) -> None:
    fonts = Fonts(folder=tmp_path)
    assert fonts.font_missing
    assert not Fonts().font_missing


def test_a_word_has_one_font() -> None:
    fonts = Fonts(["한국어 Café"])
    # our Korean font has no é
    assert [run for _, run in fonts.runs("한국어 Café!")] == ["한국어 ", "Café!"]
    # and a won sign in place of the backslash
    assert [face.family for face, _ in fonts.runs("가\\")] == ["NanumSquare Bold", "DejaVu Sans"]


def test_emoji_stay_together() -> None:
    assert clusters("a👩‍👧👍🏽❤️🇰🇷é") == ["a", "👩‍👧", "👍🏽", "❤️", "🇰🇷", "é"]


def test_arabic_makes_cues_too() -> None:
    words = [Word(w.text, w.start_s, w.end_s) for w in shared_times(ARABIC.split(), 0, 3)]
    assert [c.text for c in make_cues(words, start_s=0, end_s=4, language="ar")] == [ARABIC]
