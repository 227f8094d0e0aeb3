"""Fusion methods by name."""

from __future__ import annotations

from collections.abc import Callable

from heimdex_core.errors import UnknownName
from heimdex_core.search.fusion.base import Fused, FusedScene, Fusion, Part, ScoredScenes
from heimdex_core.search.fusion.minmax import MinMax
from heimdex_core.search.fusion.rrf import ReciprocalRank
from heimdex_core.search.fusion.weighted_rrf import WeightedReciprocalRank
from heimdex_core.search.fusion.zscore import ZScore

_METHODS: dict[str, Callable[[int], Fusion]] = {
    MinMax.name: lambda rrf_k: MinMax(),
    ReciprocalRank.name: ReciprocalRank,
    WeightedReciprocalRank.name: WeightedReciprocalRank,
    ZScore.name: lambda rrf_k: ZScore(),
}

FUSION_NAMES: tuple[str, ...] = tuple(_METHODS)


def fusion_method(name: str, *, rrf_k: int = 60) -> Fusion:
    """The method of that name; UnknownName with the known ones if there is none."""
    if name not in _METHODS:
        raise UnknownName(kind="fusion", name=name, known=", ".join(FUSION_NAMES))
    return _METHODS[name](rrf_k)


__all__ = ["FUSION_NAMES", "Fused", "FusedScene", "Fusion", "Part", "ScoredScenes", "fusion_method"]
