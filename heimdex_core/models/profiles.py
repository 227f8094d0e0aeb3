"""Which models go together, and which set this machine gets.

Only `offline` is here yet. `laptop` and `studio` need weights that people bring themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from heimdex_core.errors import ModelUnavailable, UnknownName
from heimdex_core.settings import Settings


@dataclass(frozen=True)
class ModelChoice:
    """A profile's name, why it was chosen (a machine code), and a spec '<maker>:<model>' for each kind."""

    name: str
    reason: str
    speech: str
    text: str
    vision: str

    def to_dict(self) -> dict[str, str]:
        """As it is pinned in library.json."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ModelChoice:
        return ModelChoice(**{name: str(data[name]) for name in ("name", "reason", "speech", "text", "vision")})

    def spec(self, kind: str) -> str:
        """The spec for "speech", "text" or "vision"; UnknownName for another kind."""
        if kind not in KINDS:
            raise UnknownName(kind="kind of model", name=kind, known=", ".join(KINDS))
        return str(getattr(self, kind))


KINDS = ("speech", "text", "vision")

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
