"""Fusion methods by name.

To add a method, write one file with its class and its FusionSpec and add the spec to METHODS.
"""

from __future__ import annotations

from heimdex_core.errors import UnknownName
from heimdex_core.search.fusion import combmnz, combsum, convex, minmax, rrf, weighted_rrf, zscore
from heimdex_core.search.fusion.base import Fusion, FusionParams, FusionSpec, ScoredScenes
from heimdex_core.settings import get_settings

__all__ = ["METHODS", "ScoredScenes", "fusion_method", "fusion_names"]

METHODS: tuple[FusionSpec, ...] = (
    minmax.SPEC,
    rrf.SPEC,
    weighted_rrf.SPEC,
    zscore.SPEC,
    combsum.SPEC,
    combmnz.SPEC,
    convex.SPEC,
)


def fusion_names() -> tuple[str, ...]:
    """The names of all fusion methods."""
    return tuple(spec.name for spec in METHODS)


def fusion_method(name: str, *, rrf_k: int | None = None) -> Fusion:
    """The fusion method of that name.

    Args:
        name: one of `fusion_names()`.
        rrf_k: the constant k of reciprocal rank fusion, at least 1; default HEIMDEX_RRF_K.

    Raises UnknownName.
    """
    for spec in METHODS:
        if spec.name == name:
            return spec.make(FusionParams(rrf_k=get_settings().rrf_k if rrf_k is None else rrf_k))
    raise UnknownName(kind="fusion", name=name, known=", ".join(fusion_names()))
