"""Captions: what is shown of the speech, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from heimdex_core.errors import InvalidValue
from heimdex_core.types.values import Json


@dataclass(frozen=True, slots=True)
class CueWord:
    """One word of a cue; of Korean an eojeol. Raises InvalidValue unless 0 <= start_s <= end_s."""

    start_s: float
    end_s: float
    text: str

    def __post_init__(self) -> None:
        _check("caption word", self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at once, during [start_s, end_s) in player time of the source.

    Raises InvalidValue unless 0 <= start_s < end_s.
    """

    start_s: float
    end_s: float
    text: str
    """"" to show nothing."""
    words: tuple[CueWord, ...] = ()
    """The words of `text` in their order, with the times at which they are said."""

    def __post_init__(self) -> None:
        _check("caption", self.start_s, self.end_s)
        if self.start_s == self.end_s:
            raise InvalidValue(name="caption", value=f"{self.start_s:.3f} s", reason="it must last longer than 0 s")

    def moved(self, by_s: float) -> Cue:
        """The same cue `by_s` seconds later; earlier if negative. Raises InvalidValue if it would start before 0."""
        words = tuple(replace(w, start_s=w.start_s + by_s, end_s=w.end_s + by_s) for w in self.words)
        return Cue(self.start_s + by_s, self.end_s + by_s, self.text, words)

    @staticmethod
    def from_json(data: Json) -> Cue:
        """What `to_json` made of a cue. Raises InvalidValue for anything else."""
        try:
            words = tuple(CueWord(float(w["start_s"]), float(w["end_s"]), str(w["text"])) for w in data["words"])
            return Cue(float(data["start_s"]), float(data["end_s"]), str(data["text"]), words)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidValue(name="caption", value=str(data)[:100], reason=f"it is no caption ({error})") from error


def _check(name: str, start_s: float, end_s: float) -> None:
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s <= end_s):
        raise InvalidValue(
            name=name, value=f"{start_s:.3f} to {end_s:.3f} s", reason="it must satisfy 0 <= start <= end"
        )
