"""Which models go together, and which set this machine gets.

Only `offline` is here yet. `laptop` and `studio` need weights that people bring themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from heimdex_core.errors import InvalidValue, ModelUnavailable, UnknownName
from heimdex_core.settings import Settings

KINDS = ("speech", "text", "vision")
"""What every choice has."""
EXTRA_KINDS = ("text", "vision")
"""What a choice can have more than one of."""


@dataclass(frozen=True)
class ModelChoice:
    """A profile's name, why it was chosen (a machine code), and a spec '<maker>:<model>' for each kind.

    `caption` is "" where pictures are not described. `extra` has further spaces to compare with, each as
    "text=SPEC" or "vision=SPEC".
    """

    name: str
    reason: str
    speech: str
    text: str
    vision: str
    caption: str = ""
    extra: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as the choice is pinned in library.json."""
        return {**asdict(self), "extra": list(self.extra)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ModelChoice:
        """What `to_dict` gave, by this version or one that knew neither captions nor extra spaces."""
        needed = {name: str(data[name]) for name in ("name", "reason", *KINDS)}
        extra = tuple(str(one) for one in data.get("extra") or ())
        return ModelChoice(**needed, caption=str(data.get("caption") or ""), extra=extra)

    def spec(self, kind: str) -> str:
        """The spec for "speech", "text", "vision" or "caption"; UnknownName for another kind."""
        if kind not in (*KINDS, "caption"):
            raise UnknownName(kind="kind of model", name=kind, known=", ".join((*KINDS, "caption")))
        return str(getattr(self, kind))

    @property
    def extras(self) -> tuple[tuple[str, str], ...]:
        """(kind, spec) of each extra space. Raises InvalidValue where one is not KIND=SPEC."""
        found = []
        for one in self.extra:
            kind, equals, spec = one.partition("=")
            if kind not in EXTRA_KINDS or not equals or not spec:
                raise InvalidValue(
                    name="extra space", value=one, reason="write text=SPEC or vision=SPEC, as in text=sentence:NAME"
                )
            found.append((kind, spec))
        return tuple(dict.fromkeys(found))


PROFILES: dict[str, dict[str, str]] = {
    "offline": {"speech": "pocketsphinx:en-us", "text": "minilm:all-MiniLM-L6-v2", "vision": "palette:1"},
}
LATER = ("laptop", "studio")
"""Known by name; this version has no models for them."""


def choose_profile(asked: str, settings: Settings | None = None) -> ModelChoice:
    """The models for `asked`: "auto", or a profile's name.

    "auto" looks at the machine and its disk, never at the network. Raises ModelUnavailable for a
    profile whose models this version does not have, UnknownName for any other name.
    """
    if asked == "auto":
        # The larger profiles need weights on disk, and this version reads none, whatever the hardware.
        return ModelChoice("offline", "no_accelerator_weights", **PROFILES["offline"])
    if asked in PROFILES:
        return ModelChoice(asked, "asked", **PROFILES[asked])
    if asked in LATER:
        raise ModelUnavailable(
            name=asked, reason=f"this version has no models for the profile {asked} yet; use offline"
        )
    raise UnknownName(kind="profile", name=asked, known=", ".join(("auto", *PROFILES, *LATER)))
