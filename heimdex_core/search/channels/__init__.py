"""The channels of a search, in the order in which they are shown."""

from __future__ import annotations

from heimdex_core.search.channels import lexical
from heimdex_core.search.channels.base import ChannelSpec
from heimdex_core.search.channels.dense import dense_spec, nothing_is_said

CHANNELS: tuple[ChannelSpec, ...] = (
    dense_spec("transcript", "said", "text", "a first sentence", abstain=nothing_is_said),
    dense_spec("vision", "seen", "vision", "blue"),
    # descriptions of pictures are read by the text model
    dense_spec("caption", "seen", "caption", "a first sentence", shares_weight_of="vision"),
    lexical.SPEC,
)

CHANNEL_NAMES: tuple[str, ...] = tuple(spec.kind for spec in CHANNELS if spec.shares_weight_of is None)
"""What every search weighs."""


def kind_of(channel: str) -> str:
    """What a channel looks at, from its name: the kind of one of CHANNELS for every channel of a search."""
    role, slash, _ = channel.partition("/")
    return next((spec.kind for spec in CHANNELS if slash and spec.space_role == role), channel)


def spec_of(kind: str) -> ChannelSpec:
    """The channel of that kind, which exists."""
    return next(spec for spec in CHANNELS if spec.kind == kind)
