from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.errors import LibraryDamaged
from heimdex_core.store.screen_text import FILE, read_screen_text, write_screen_text
from heimdex_core.types import FrameText, TextLine

TITLE = TextLine("비상구 EXIT", 0.97, 0.1, 0.2, 0.5, 0.25)
LINE = TextLine("left of the stairs", 0.9, 0.1, 0.6, 0.4, 0.1)


def test_lines_come_back_with_their_frames_and_places(tmp_path: Path) -> None:
    frames = [FrameText("a.webp", (TITLE, LINE)), FrameText("b.webp", (LINE,))]
    write_screen_text(tmp_path, {"v_0_1": frames, "v_1_2": [FrameText("c.webp", (TITLE,))], "v_2_3": []})
    assert read_screen_text(tmp_path, "v_0_1") == frames
    assert read_screen_text(tmp_path, "v_1_2") == [FrameText("c.webp", (TITLE,))]
    assert read_screen_text(tmp_path, "v_2_3") == read_screen_text(tmp_path, "none") == []


def test_without_a_reader_there_is_no_file(tmp_path: Path) -> None:
    assert read_screen_text(tmp_path, "v_0_1") == []
    write_screen_text(tmp_path, {})
    assert read_screen_text(tmp_path, "v_0_1") == []


def test_a_damaged_file_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(LibraryDamaged, match="screen_text"):
        read_screen_text(tmp_path, "v_0_1")
