"""How near is near at all, for each model: below its floor a dense channel has nothing to say.

A nearest neighbour always exists, so without a floor a channel would put its weight behind scenes
that have nothing to do with the query. The values are measured; docs/decisions/search-floors.md
says how. A model without an entry gets 0: opposite directions are never evidence.
"""

from __future__ import annotations

from heimdex_core.types import Space

FLOORS: dict[str, float] = {
    "text/all-MiniLM-L6-v2": 0.25,
    "vision/palette": 0.05,
}


def floor_of(space: Space) -> float:
    """The cosine that a scene must exceed to count as found in this space."""
    return FLOORS.get(space.name, 0.0)
