"""Corrected captions of a short whose range changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from heimdex_core.library import short_edits
from heimdex_core.types import Cue, ShortRequest


def library() -> Any:
    """One whose transcript has a caption for each second, "1" from 1 s on; it is asked for the parts that are new."""

    def cues(scene_id: str, start_s: float, end_s: float) -> tuple[Cue, ...]:
        return tuple(Cue(float(n), n + 1.0, str(n)) for n in range(round(start_s), round(end_s)))

    return SimpleNamespace(shorts=SimpleNamespace(cues=cues), snap=lambda video_id, start, end, to: (start - 0.5, end))


SCENE: Any = SimpleNamespace(scene_id="v_2000_5000", video_id="v", start_s=2.0, end_s=5.0)


def texts(request: ShortRequest) -> list[str]:
    return [cue.text for cue in request.cues or ()]


def test_a_correction_keeps_the_other_captions() -> None:
    fixed = short_edits.corrected(library(), ShortRequest("v_2000_5000"), SCENE, 3.0, "three")
    assert texts(fixed) == ["2", "three", "4"]


def test_corrected_captions_stay_when_the_short_grows_and_shrinks() -> None:
    fixed = short_edits.corrected(library(), ShortRequest("v_2000_5000"), SCENE, 3.0, "three")
    grown = short_edits.trimmed(library(), fixed, SCENE, 1.0, 7.0)
    assert (grown.trim, texts(grown)) == ((1.0, 7.0), ["1", "2", "three", "4", "5", "6"])
    assert texts(short_edits.trimmed(library(), grown, SCENE, 3.0, 4.0)) == ["three"]


def test_captions_that_were_not_corrected_follow_the_transcript() -> None:
    trimmed = short_edits.trimmed(library(), ShortRequest("v_2000_5000"), SCENE, 3.0, 4.0)
    assert trimmed.cues is None


def test_the_range_snaps_where_that_is_chosen() -> None:
    request = ShortRequest("v_2000_5000", snap="word")
    assert short_edits.trimmed(library(), request, SCENE, 2.0, 5.0).trim == (1.5, 5.0)
