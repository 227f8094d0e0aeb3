"""Scenes as cards, one scene in the panel, and why a scene was found."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.search.channels import kind_of
from heimdex_core.search.matching import pieces
from heimdex_core.types import ChannelScore, ChannelState, Hit, Scene, SearchResult, Segment, Space, Video
from ui import media, state
from ui.i18n import describe_error, t, t_or, tn

CHANNELS = ("transcript", "vision", "lexical")
"""The channels whose weights the dial sets. A search can have more: of additional spaces, and of captions."""
_LINES_AROUND_S = 30.0


# --- cards ----------------------------------------------------------------------------------------


def card(
    library: Library,
    scene: Scene,
    title: str,
    *,
    picked: bool,
    terms: Sequence[str] = (),
    hit: Hit | None = None,
    fusion: str = "",
) -> dict[str, Any]:
    """One card of the grid.

    Args:
        library: has the scene.
        scene: what to show.
        title: of the video.
        picked: whether the scene is in the tray.
        terms: index terms of the query, to be marked in title and transcript.
        hit: the scene as a hit of a search; adds the score and the contribution of each channel.
        fusion: the fusion method of the search.
    """
    start = fmt.precise(scene.start_s)
    return {
        "id": scene.scene_id,
        "thumbnail": media.frame_url(library, scene),
        "time": f"{start} · {seconds(scene.duration_s)}",
        "score": score_badge(hit, fusion) if hit else "",
        "title": pieces(title, terms),
        "text": pieces(scene.transcript, terms) or [[t("scene.no_speech"), False]],
        "silent": not scene.transcript,
        "parts": shares(hit.channels) if hit else [],
        "picked": picked,
        "label": t("scene.play_label", title=title, time=start),
    }


def seconds(duration_s: float) -> str:
    """A duration with at most one decimal."""
    return t("unit.seconds", n=f"{duration_s:.1f}".removesuffix(".0"))


def score_badge(hit: Hit, fusion: str) -> str:
    """The score in percent for min-max, whose scores are from 0 to 1; the rank for other fusion methods."""
    return f"{round(100 * hit.score)} %" if fusion == "minmax" else f"#{hit.rank}"


def shares(channels: Mapping[str, ChannelScore]) -> list[dict[str, Any]]:
    """The contribution bar: the share of each channel in the score of a hit, without those below 0.5 %."""
    parts = {name: max(score.contribution, 0.0) for name, score in channels.items()}
    total = sum(parts.values())
    if total <= 0:
        return []
    return [
        {
            "name": kind_of(name),
            "share": round(part / total, 4),
            "title": f"{channel_label(name)} {round(100 * part / total)} %",
        }
        for name, part in parts.items()
        if part / total >= 0.005
    ]


# --- channels -------------------------------------------------------------------------------------


def channel_label(name: str) -> str:
    """The label of a channel; the channel of an additional space has the name of the model, too."""
    kind, _, space = name.partition("/")
    label = t_or(f"channel.{kind_of(name)}", kind)
    return t("channel.in_space", channel=label, space=space) if space else label


def space_choices(library: Library, chosen: Collection[str]) -> dict[str, tuple[list[Space], set[str]]]:
    """The spaces of each kind of channel that has several, the primary one first, and the names of those searched."""
    spaces = library.spaces()
    found = {}
    for kind, primary in (("transcript", spaces["text"]), ("vision", spaces["vision"])):
        of_kind = list(dict.fromkeys([primary, *(one for one in spaces.values() if kind_of(one.name) == kind)]))
        if len(of_kind) > 1:
            found[kind] = (of_kind, {one.name for one in of_kind if one.name in chosen} or {primary.name})
    return found


def abstention_text(name: str, channel: ChannelState) -> str:
    """Why a channel takes no part in a search, with the error if it failed."""
    label = channel_label(name)
    text = t_or(f"abstain.{channel.reason}", t("abstain.other", channel=label), channel=label)
    if channel.error is None:
        return text
    message, hint = describe_error(channel.error, state.language())
    return t("abstain.because", abstention=text, message=message, hint=hint)


def is_reported(channel: ChannelState) -> bool:
    """Whether a channel abstains for a reason other than the weight that the user gave it."""
    return not channel.active and channel.reason != "weight_zero"


def status_line(result: SearchResult, video_count: int) -> str:
    """HTML: how many scenes were found in how many videos, how long it took, and which channels abstain."""
    scenes = f"<b>{html.escape(tn('search.scenes', result.total))}</b>"
    ms = round(result.timing_ms.get("total", 0.0))
    parts = [t("search.found", scenes=scenes, videos=html.escape(tn("search.in_videos", video_count)))]
    parts.append(t("unit.ms", n=max(ms, 1)))
    reported = [abstention_text(name, channel) for name, channel in result.channels.items() if is_reported(channel)]
    if reported and any(channel.active for channel in result.channels.values()):
        reported.append(t("search.weight_shared"))
    return " · ".join([*parts, *(html.escape(text) for text in reported)])


def explanation(hit: Hit | None, result: SearchResult | None) -> dict[str, Any] | None:
    """Why a scene was found: each channel with score and rank, or the reason why it abstains.

    Returns None without a search. A scene that is not among the hits gets a note that says so.
    """
    if result is None:
        return None
    heading = t("explanation.heading")
    if hit is None:
        return {"heading": heading, "rows": [], "note": t("explanation.not_a_hit")}
    rows = [_channel_row(name, hit.channels.get(name), channel) for name, channel in result.channels.items()]
    if any("/" in name for name in result.channels):  # the name of a model needs its own line; so do all, then
        rows = [{**row, "long": True} for row in rows]
    rows.sort(key=lambda row: (row["quiet"], -row["fill"]))
    note = t("explanation.matched", words=", ".join(hit.matched_words)) if hit.matched_words else ""
    return {"heading": heading, "rows": rows, "note": note}


def _channel_row(name: str, score: ChannelScore | None, channel: ChannelState | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": kind_of(name),
        "label": channel_label(name),
        "fill": 0.0,
        "quiet": True,
        "title": "",
    }
    if channel is not None and not channel.active:
        return {**row, "value": t("explanation.abstains"), "title": abstention_text(name, channel)}
    if score is None or score.score is None:
        return {**row, "value": t("explanation.not_found")}
    value = f"{score.score:.2f} · #{score.rank}"
    return {**row, "fill": round(max(score.normalised, 0.0), 4), "quiet": False, "value": value}


# --- the panel ------------------------------------------------------------------------------------


def lines_around(segments: Iterable[Segment], scene: Scene, terms: Sequence[str]) -> list[dict[str, Any]]:
    """The lines of the transcript from 30 s before the scene to 30 s after it."""
    return [
        {
            "start": segment.start_s,
            "end": segment.end_s,
            "text": pieces(segment.text, terms),
            "inside": segment.start_s < scene.end_s and segment.end_s > scene.start_s,
        }
        for segment in segments
        if segment.end_s > scene.start_s - _LINES_AROUND_S and segment.start_s < scene.end_s + _LINES_AROUND_S
    ]


def player_labels(video: Video | None) -> dict[str, str]:
    """The texts of the player. `video` is the only one that is played; None for a reel."""
    names = ("play", "pause", "mute", "unmute", "fullscreen", "no_media", "transcript")
    unplayable = "no_preview" if video is not None and "preview_failed" in video.notes else "unplayable"
    return {
        **{name: t(f"player.{name}") for name in names},
        "unplayable": t(f"player.{unplayable}"),
        "video": t("player.video", title=video.title if video else ""),
        "no_speech": t("scene.no_speech"),
        "rough": t("player.rough") if video and video.transcript_rough else "",
    }


def panel(
    library: Library,
    scene: Scene,
    video: Video,
    *,
    neighbours: tuple[str | None, str | None],
    picked: Collection[str],
    lines: list[dict[str, Any]],
    explanation: dict[str, Any] | None,
) -> dict[str, Any]:
    """One scene in the player with buttons, explanation and transcript.

    Args:
        library: has the scene.
        scene: what to play.
        video: of the scene.
        neighbours: ids of the previous and the next scene.
        picked: ids of the scenes in the tray.
        lines: of the transcript, from `lines_around`.
        explanation: why the scene was found, from `explanation`.
    """
    return {
        "clips": [
            {
                "id": scene.scene_id,
                "media": f"{video.video_id}/{video.generation}",
                "src": media.video_url(library, video),
                "poster": media.frame_url(library, scene),
                "start": scene.start_s,
                "end": scene.end_s,
            }
        ],
        "reel": False,
        "duration": video.info.duration_s if video.info else scene.end_s,
        "actions": _panel_actions(scene, neighbours, is_picked=scene.scene_id in picked),
        "explanation": explanation,
        "lines": lines,
        "labels": player_labels(video),
    }


def _panel_actions(scene: Scene, neighbours: tuple[str | None, str | None], *, is_picked: bool) -> list[dict[str, Any]]:
    before, after = neighbours
    return [
        {
            "name": "pick",
            "value": {"id": scene.scene_id, "picked": not is_picked},
            "label": t("tray.added") if is_picked else t("tray.add"),
            "icon": "check" if is_picked else "plus",
            "key": "A",
            "primary": not is_picked,
        },
        {
            "name": "step",
            "value": before,
            "icon": "previous",
            "title": t("player.previous"),
            "disabled": before is None,
        },
        {"name": "step", "value": after, "icon": "next", "title": t("player.next"), "disabled": after is None},
        {"name": "open_video", "value": scene.video_id, "label": t("player.open_video")},
    ]
