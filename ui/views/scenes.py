"""Scenes as cards, one scene in the panel, and why a scene was found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.search.channels import kind_of
from heimdex_core.search.matching import pieces
from heimdex_core.types import (
    ChannelScore,
    ChannelState,
    Hit,
    Scene,
    SearchResult,
    SeenPerson,
    Segment,
    Space,
    Video,
    parse_scene_id,
)
from ui import media, state
from ui.i18n import describe_error, number, t, t_or, tn
from ui.views import evidence
from ui.views.conditions import condition_labels

CHANNELS = ("transcript", "vision", "lexical")
"""The channels whose weights the dial sets. A search can have more: of additional spaces, and of captions."""
_MOST_LINES, _LINES_BEFORE = 400, 100
_SHORT_NAME_CHARS = 20
"""A longer name of a person has a line of its own."""


# --- cards ----------------------------------------------------------------------------------------


def card(
    library: Library,
    scene: Scene,
    title: str,
    *,
    picked: bool,
    terms: Sequence[str] = (),
    hit: Hit | None = None,
    judged: Judged | None = None,
    unfolded: bool = False,
    owner: str = "",
) -> dict[str, Any]:
    """One card of the grid.

    Args:
        library: has the scene.
        scene: what to show.
        title: of the video.
        picked: whether the scene is in the tray.
        terms: index terms of the query, to be marked in title and transcript.
        hit: the scene as a hit of a search; adds the rank, the contribution of each channel and how close it is.
        judged: what the person said about the hit; None where cards cannot be judged.
        unfolded: whether the scenes that look the same are shown, too.
        owner: who shares the video; "" for one's own.
    """
    start = fmt.precise(scene.start_s)
    name = {"title": title, "time": start}
    return {
        "id": scene.scene_id,
        "thumbnail": media.hit_url(library, scene, hit.keyframe if hit else None),
        "sprite": media.sprite(library, scene),
        "start": scene.start_s,
        "end": scene.end_s,
        "time": f"{start} · {seconds(scene.duration_s)}",
        "rank": f"#{hit.rank}" if hit else "",
        "score": scores(hit) if hit else "",
        "strength": {"name": hit.strength, "label": t(f"strength.{hit.strength}")} if hit and hit.strength else None,
        "dim": hit is not None and not hit.is_close,
        "alike": _alike(len(hit.duplicates), unfolded) if hit and hit.duplicates else None,
        "tools": {"grades": judged.by_text} if judged else None,
        "grade": judged.grade if judged else None,
        "rated": judged.rated if judged else None,
        "title": [*evidence.title(title, terms), *([[f" · {owner}", False]] if owner else [])],
        "text": evidence.said(scene, terms),
        "silent": not scene.transcript,
        "also": [*(_then(hit.then) if hit and hit.then else []), *evidence.elsewhere(scene, terms)],
        "parts": shares(hit.channels) if hit else [],
        "picked": picked,
        "name": f"{title}, {start}",
        "label": t("scene.play_label", **name),
        "pick_label": t("scene.pick_label", **name),
        "unpick_label": t("scene.unpick_label", **name),
    }


@dataclass(frozen=True)
class Judged:
    """What a person said about a scene."""

    grade: int | None
    """0 to 3; None where it was not judged."""
    rated: str | None
    """"liked", "disliked" or None."""
    by_text: bool = True
    """Whether it can be graded: only what a text was searched for has grades."""


def _alike(count: int, unfolded: bool) -> dict[str, Any]:
    title = tn("scene.alike_title", count)
    return {"label": t("scene.alike", n=number(count)), "title": title, "on": unfolded}


def _then(scene_id: str) -> list[dict[str, Any]]:
    """Where the scene is that follows, as the query wants it."""
    start_ms = parse_scene_id(scene_id)[1]
    return [{"label": t("scene.then"), "text": [[fmt.precise(start_ms / 1000), False]]}]


def scores(hit: Hit) -> str:
    """The fused score of a hit, and what each channel gave it, a line each."""
    lines = [t("explanation.score", score=f"{hit.score:.3f}")]
    lines += [
        t("explanation.channel_score", channel=channel_label(name), score=f"{score.score:.3f}", rank=score.rank)
        for name, score in hit.channels.items()
        if score.score is not None
    ]
    return "\n".join(lines)


def seconds(duration_s: float) -> str:
    """A duration with at most one decimal."""
    return t("unit.seconds", n=f"{duration_s:.1f}".removesuffix(".0"))


def shares(channels: Mapping[str, ChannelScore]) -> list[dict[str, Any]]:
    """The contribution bar: the share of each channel in the score of a hit, without those below 0.5%."""
    parts = {name: max(score.contribution, 0.0) for name, score in channels.items()}
    total = sum(parts.values())
    if total <= 0:
        return []
    return [
        {
            "name": kind_of(name),
            "share": round(part / total, 4),
            "title": f"{channel_label(name)} {round(100 * part / total)}%",
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
    if "/" not in name:  # the only channel of its kind needs no name where the reason says it
        text = t_or(f"abstain.{name}.{channel.reason}", text)
    if channel.error is None:
        return text
    message, hint = describe_error(channel.error, state.language())
    return t("abstain.because", abstention=text, message=message, hint=hint)


def is_reported(channel: ChannelState) -> bool:
    """Whether a channel abstains for a reason other than the weight that the user gave it, and what was asked for."""
    return not channel.active and channel.reason not in ("weight_zero", "not_asked")


def status(result: SearchResult) -> dict[str, Any]:
    """What is above the results: how many scenes are in how many videos, and which channels take no part and why.

    Returns {"found": pieces, "took": the tooltip, "notes": reasons}.
    """
    mark = "\0"  # the place of the number differs between languages
    scenes, videos = tn("search.scenes", result.total), tn("search.in_videos", result.total_videos)
    before, count, after = t("search.found", scenes=mark + scenes + mark, videos=videos).split(mark)
    if result.nothing_close:
        asked = result.query.text
        far = t("search.nothing_close", query=asked) if asked else t("search.nothing_close_short")
        before, count, after = f"{far} {t('search.nearest')}", "", ""
    ms = round(result.timing_ms.get("total", 0.0))
    notes = [abstention_text(name, channel) for name, channel in result.channels.items() if is_reported(channel)]
    if notes and any(channel.active for channel in result.channels.values()):
        notes.append(t("search.weight_shared"))
    return {
        "found": [piece for piece in ((before, False), (count, True), (after, False)) if piece[0]],
        "far": result.nothing_close,
        "took": t("search.took", ms=t("unit.ms", n=number(max(ms, 1)))),
        "notes": "" if result.nothing_close else " · ".join(notes),
    }


def explanation(scene: Scene, hit: Hit | None, result: SearchResult | None) -> dict[str, Any] | None:
    """Why a scene was found: the people whom the query names, the rank in each channel, or the reason why it abstains,
    and what matches in its fields. In a list of scenes that filters leave: the filters, and the order.

    Without a search, only its fields; None if it has none. A scene that is not among the hits gets a note that says so.
    """
    fields = evidence.fields(scene, result.terms if result is not None else ())
    if result is None:
        return {"heading": t("explanation.about"), "rows": [], "note": "", "fields": fields} if fields else None
    heading = t("explanation.heading")
    if hit is None:
        return {"heading": heading, "rows": [], "note": t("explanation.not_a_hit"), "fields": fields}
    rows = [
        _channel_row(name, hit.channels.get(name), channel)
        for name, channel in result.channels.items()
        if channel.reason != "not_asked"
    ]
    if any("/" in name for name in result.channels):  # the name of a model needs its own line; so do all, then
        rows = [{**row, "long": True} for row in rows]
    rows.sort(key=lambda row: (row["quiet"], -row["fill"]))
    rows = [*map(_person_row, hit.people), *rows]
    on_screen = {word.casefold() for word in hit.matched_on_screen}
    words = [
        t("explanation.on_screen", word=word) if word.casefold() in on_screen else word for word in hit.matched_words
    ]
    note = t("explanation.matched", words=", ".join(words)) if words else ""
    if result.is_listing:
        fields = [
            {"label": t("explanation.fits"), "text": [[" · ".join(condition_labels(result, hit)), False]]},
            {"label": t("filter.order"), "text": [[t(f"explanation.order.{result.order}"), False]]},
            *fields,
        ]
    return {"heading": heading, "rows": rows, "note": note, "fields": fields}


def _person_row(person: SeenPerson) -> dict[str, Any]:
    """Where a hit shows a person whom the query names, and how similar the face is."""
    time = fmt.precise(person.time_s)
    how = t("people.by_hand") if person.is_by_hand else f"{person.similarity:.2f}"
    title = t(
        "explanation.seen_by_hand" if person.is_by_hand else "explanation.seen",
        name=person.name,
        time=time,
        similarity=f"{person.similarity:.2f}",
    )
    fill = 1.0 if person.is_by_hand else round(max(person.similarity, 0.0), 4)
    value = f"{time} · {how}"
    row = {"name": "people", "label": person.name, "fill": fill, "quiet": False, "value": value, "title": title}
    return {**row, "long": len(person.name) > _SHORT_NAME_CHARS}


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
    title = t("explanation.score", score=f"{score.score:.3f}")
    fill = round(max(score.normalised, 0.0), 4)
    return {**row, "fill": fill, "quiet": False, "value": f"#{score.rank}", "title": title}


# --- the panel ------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def lines(library: Library, scene: Scene, generation: int, terms: tuple[str, ...]) -> list[dict[str, Any]]:
    """The lines of the transcript of a scene's video, as `lines_around`; read once for a scene and a query.

    `generation` is that of the video: its transcript never changes. The list must not be changed.
    """
    return lines_around(library.words(scene.video_id), scene, terms)


def lines_around(segments: Sequence[Segment], scene: Scene, terms: Sequence[str]) -> list[dict[str, Any]]:
    """The lines of the transcript, to its end; those around the scene if there are more than 400.

    Returns [{"start", "end": seconds, "text": pieces, "inside": whether the line is of the scene}].
    """
    inside = [segment.start_s < scene.end_s and segment.end_s > scene.start_s for segment in segments]
    first = next((at for at, segment in enumerate(segments) if segment.end_s > scene.start_s), len(segments))
    start = max(0, min(first - _LINES_BEFORE, len(segments) - _MOST_LINES))
    shown = slice(start, max(start + _MOST_LINES, len(inside) - inside[::-1].index(True) if True in inside else 0))
    return [
        {
            "start": segment.start_s,
            "end": segment.end_s,
            "text": pieces(segment.text, terms),
            "inside": is_inside,
        }
        for segment, is_inside in zip(segments[shown], inside[shown], strict=True)
    ]


def player_labels(video: Video | None) -> dict[str, str]:
    """The texts of the player. `video` is the only one that is played; None for a reel."""
    names = ("play", "pause", "mute", "unmute", "fullscreen", "keys", "position", "close", "no_media", "transcript")
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
    lines: list[dict[str, Any]] | None,
    explanation: dict[str, Any] | None,
) -> dict[str, Any]:
    """One scene in the player with buttons, explanation and transcript.

    Args:
        library: has the scene.
        scene: what to play.
        video: of the scene.
        neighbours: ids of the previous and the next scene.
        picked: ids of the scenes in the tray.
        lines: of the transcript, from `lines`; None to leave it out.
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
        "fps": video.info.fps if video.info else None,
        "actions": _panel_actions(scene, neighbours, is_picked=scene.scene_id in picked),
        "explanation": explanation,
        "lines": lines,
        "labels": player_labels(video)
        | {name: t(f"player.{name}") for name in ("region", "region_hint", "region_blocked")},
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
            "value": {"by": -1, "id": scene.scene_id},
            "icon": "previous",
            "title": t("player.previous"),
            "disabled": before is None,
        },
        {
            "name": "step",
            "value": {"by": 1, "id": scene.scene_id},
            "icon": "next",
            "title": t("player.next"),
            "disabled": after is None,
        },
        {"name": "like", "value": {"id": scene.scene_id}, "label": t("player.like")},
        {"name": "short", "value": {"id": scene.scene_id}, "label": t("player.short")},
        {"name": "open_scene", "value": {"id": scene.scene_id}, "label": t("player.open_scene")},
        {"name": "open_video", "value": scene.video_id, "label": t("player.open_video")},
    ]
