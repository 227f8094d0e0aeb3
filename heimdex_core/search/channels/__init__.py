"""The channels of a search, in the order in which they are shown.

To add a channel, write one file with its class and its ChannelSpec and add the spec to CHANNELS.
"""

from __future__ import annotations

from heimdex_core.search.channels import lexical, people, transcript
from heimdex_core.search.channels.base import ChannelSpec
from heimdex_core.search.channels.dense import DenseChannel

CHANNELS: tuple[ChannelSpec, ...] = (
    transcript.SPEC,
    ChannelSpec(
        "vision",
        side="seen",
        label={"en": "seen", "ko": "보이는 장면"},
        make=DenseChannel,
        space_role="vision",
        warm_up_text="blue",
    ),
    ChannelSpec(
        "caption",
        side="seen",
        label={"en": "described", "ko": "장면 설명"},
        make=DenseChannel,
        space_role="caption",
        warm_up_text="a first sentence",  # captions are embedded by the text model
        shares_weight_of="vision",
    ),
    lexical.SPEC,
    people.SPEC,
)


def channel_names() -> tuple[str, ...]:
    """The channels that every search has: the kinds with a weight of their own."""
    return tuple(spec.kind for spec in CHANNELS if spec.shares_weight_of is None and not spec.is_on_request)


def kind_of(channel: str) -> str:
    """The kind of a channel from its name in a search: "vision" for "vision" and for the space "vision/palette"."""
    role, slash, _ = channel.partition("/")
    return next((spec.kind for spec in CHANNELS if slash and spec.space_role == role), channel)


def spec_of(kind: str) -> ChannelSpec:
    """The spec of a kind of channel. Raises KeyError for a kind that is not registered."""
    for spec in CHANNELS:
        if spec.kind == kind:
            return spec
    raise KeyError(kind)
