"""The transcript channel: what is said, in the text space of the models or in their two."""

from __future__ import annotations

from heimdex_core.search.channels.base import Channel, ChannelRequest, ChannelSpec
from heimdex_core.search.channels.dense import DenseChannel
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.channels.routed import RoutedChannel, RoutedSpace
from heimdex_core.types import MULTILINGUAL, Space


def abstain_without_transcript(request: ChannelRequest) -> str | None:
    """The reason "no_transcript" where none of the searched videos has a transcript."""
    return None if request.view.has_transcripts(request.user_id, request.video_ids) else "no_transcript"


def transcript_channel(
    name: str,
    space: Space,
    encoder: SharedEncoder,
    second: Space | None = None,
    second_encoder: SharedEncoder | None = None,
) -> Channel:
    """The channel over one text space, or over two where there is a second."""
    if second is None or second_encoder is None:
        return DenseChannel(name, space, encoder, abstain_without_transcript)
    spaces = RoutedSpace(space, encoder), RoutedSpace(second, second_encoder)
    return RoutedChannel(name, *spaces, abstain_without_transcript)


SPEC = ChannelSpec(
    "transcript",
    side="said",
    label={"en": "said", "ko": "들리는 말"},
    make=transcript_channel,
    space_role="text",
    second_role=MULTILINGUAL,
    warm_up_text="a first sentence",
)
