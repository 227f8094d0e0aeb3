"""Scenes as cards, and one scene in the panel beside them with the reasons why it is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.search.channels import kind_of
from heimdex_core.search.matching import pieces
from heimdex_core.types import ChannelScore, ChannelState, Hit, Scene, SearchResult, Segment, Space, Video
from ui import media
from ui.i18n import describe_error, t, t_or, tn
from ui.state import language

CHANNELS = ("transcript", "vision", "lexical")
"""What the dial weighs. A search may have more channels: those of further spaces, and descriptions."""
_LINES_AROUND_S = 30.0


def seconds(duration_s: float) -> str:
    return t("unit.seconds", n=f"{duration_s:.1f}".removesuffix(".0"))


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
    """A scene as the grid draws it; with a hit also how well it fits and which channels say so."""
    start = fmt.precise(scene.start_s)
    return {
        "id": scene.scene_id,
        "thumb": media.picture(library, scene),
        "time": f"{start} · {seconds(scene.duration_s)}",
        "score": score_badge(hit, fusion) if hit else "",
        "title": pieces(title, terms),
        "text": pieces(scene.transcript, terms) or [[t("scene.no_speech"), False]],
        "silent": not scene.transcript,
        "parts": shares(hit.channels) if hit else [],
        "picked": picked,
        "label": t("scene.play_label", title=title, time=start),
    }


def score_badge(hit: Hit, fusion: str) -> str:
    """A share where the method gives one, the rank where its numbers have no scale of their own."""
    return f"{round(100 * hit.score)} %" if fusion == "minmax" else f"#{hit.rank}"


def channel_label(name: str) -> str:
    """A channel in the person's words; one that was asked for by its space has the model's name too."""
    kind, _, space = name.partition("/")
    what = t_or(f"channel.{kind_of(name)}", kind)
    return t("channel.in_space", channel=what, space=space) if space else what


def spaces_to_choose(library: Library, chosen: Collection[str]) -> dict[str, tuple[list[Space], set[str]]]:
    """The spaces of each kind that has more than one, the first one first, and the names of those searched."""
    spaces = library.spaces()
    found = {}
    for kind, first in (("transcript", spaces["text"]), ("vision", spaces["vision"])):
        of_kind = list(dict.fromkeys([first, *(one for one in spaces.values() if kind_of(one.name) == kind)]))
        if len(of_kind) > 1:
            found[kind] = (of_kind, {one.name for one in of_kind if one.name in chosen} or {first.name})
    return found


def shares(channels: Mapping[str, ChannelScore]) -> list[dict[str, Any]]:
    """The contribution bar: each channel's share of the hit's score."""
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


def why(hit: Hit | None, result: SearchResult | None) -> dict[str, Any] | None:
    """WHY IT IS HERE: every channel with its score and rank, or that it abstains and for what reason."""
    if result is None:
        return None
    if hit is None:
        return {"heading": t("why.heading"), "rows": [], "note": t("why.not_a_hit")}
    rows = [_reason(name, hit.channels.get(name), state) for name, state in result.channels.items()]
    if any("/" in name for name in result.channels):  # a model's name needs a line of its own, and so then do all
        rows = [{**row, "long": True} for row in rows]
    rows.sort(key=lambda row: (row["quiet"], -row["fill"]))
    note = t("why.matched", words=", ".join(hit.matched_words)) if hit.matched_words else ""
    return {"heading": t("why.heading"), "rows": rows, "note": note}


def _reason(name: str, score: ChannelScore | None, state: ChannelState | None) -> dict[str, Any]:
    shown = {"name": kind_of(name), "label": channel_label(name)}
    row: dict[str, Any] = {**shown, "fill": 0.0, "quiet": True, "title": ""}
    if state is not None and not state.active:
        return {**row, "value": t("why.abstains"), "title": abstention(name, state)}
    if score is None or score.score is None:
        return {**row, "value": t("why.not_found")}
    value = f"{score.score:.2f} · #{score.rank}"
    return {**row, "fill": round(max(score.normalised, 0.0), 4), "quiet": False, "value": value}


def abstention(name: str, state: ChannelState) -> str:
    """Why a channel takes no part, in a sentence."""
    channel = channel_label(name)
    said = t_or(f"abstain.{state.reason}", t("abstain.other", channel=channel), channel=channel)
    if state.error is None:
        return said
    message, hint = describe_error(state.error, language())
    return t("abstain.because", said=said, message=message, hint=hint)


def status_line(result: SearchResult, video_count: int) -> str:
    """How much was found, how fast, and who had nothing to say."""
    ms = round(result.timing_ms.get("total", 0.0))
    parts = [f"{tn('search.in_videos', video_count)}", t("unit.ms", n=max(ms, 1))]
    silent = [abstention(name, state) for name, state in result.channels.items() if speaks_up(state)]
    if silent and any(state.active for state in result.channels.values()):
        silent.append(t("search.weight_went"))
    return " · ".join([*parts, *silent])


def speaks_up(state: ChannelState) -> bool:
    """A channel that left for a reason other than the person's own choice."""
    return not state.active and state.reason != "weight_zero"


def lines_around(segments: Iterable[Segment], scene: Scene, terms: Sequence[str]) -> list[dict[str, Any]]:
    """The transcript's lines of the scene and of half a minute on either side."""
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
    return {
        "play": t("player.play"),
        "pause": t("player.pause"),
        "mute": t("player.mute"),
        "unmute": t("player.unmute"),
        "full": t("player.full"),
        "video": t("player.video", title=video.title if video else ""),
        "unplayable": t("player.unplayable"),
        "no_media": t("player.no_media"),
        "transcript": t("player.transcript"),
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
    play: tuple[int, int],
    lines: list[dict[str, Any]],
    reasons: dict[str, Any] | None,
) -> dict[str, Any]:
    """One scene in the panel: player, buttons, reasons, transcript. `play`: wishes to play, and those that are over."""
    is_picked = scene.scene_id in picked
    before, after = neighbours
    return {
        "clips": [
            {
                "id": scene.scene_id,
                "media": f"{video.video_id}/{video.generation}",
                "src": media.playable(library, video),
                "poster": media.picture(library, scene),
                "start": scene.start_s,
                "end": scene.end_s,
            }
        ],
        "reel": False,
        "play": play[0],
        "played": play[1],
        "duration": video.info.duration_s if video.info else scene.end_s,
        "actions": [
            {
                "name": "pick",
                "value": {"id": scene.scene_id, "picked": not is_picked},
                "label": t("tray.in") if is_picked else t("tray.add"),
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
            {"name": "open_video", "value": video.video_id, "label": t("player.open_video")},
        ],
        "why": reasons,
        "lines": lines,
        "labels": player_labels(video),
    }
