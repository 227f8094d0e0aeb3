"""The dial of the search page: weights, fusion method, spaces and videos, and what they do to the current search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heimdex_core.library import Library
from heimdex_core.settings import PRESETS
from heimdex_core.types import VisibleVideo
from ui import media, resources, search_address, sharing, state
from ui.components import dial
from ui.i18n import t
from ui.views import scenes as views

_LABELS = ("heading", "exact", "balance", "presets", "advanced", "fusion", "spaces", "videos", "all", "only")


def set_weights(value: Any) -> None:
    """Search with the weights of the dial while it is being moved: {channel: weight from 0 to 1}."""
    state.update_search(weights={name: min(max(float(value[name]), 0.0), 1.0) for name in views.CHANNELS})


def save_weights(value: Any) -> None:
    """Search with the weights of the dial and save them, when it has been released."""
    set_weights(value)
    resources.library().set_preference("weights", dict(state.search().weights or {}))


def set_fusion(value: Any) -> None:
    if value in search_address.FUSIONS:
        state.update_search(fusion=str(value))


def set_space(value: Any) -> None:
    """Search a space or not: {"name", "on"}. At least one of each kind stays.

    A kind of which only the primary space is chosen is left out: the search then uses that space by default, and the
    channel keeps its plain name.
    """
    name, wanted = str(value["name"]), bool(value["on"])
    spaces: list[str] = []
    for of_kind, searched in views.space_choices(resources.library(), state.search().spaces).values():
        names = [space.name for space in of_kind]
        now = (searched | {name} if wanted else searched - {name}) if name in names else searched
        chosen = [space for space in names if space in (now or searched)]
        spaces += chosen if chosen != names[:1] else []
    state.update_search(spaces=tuple(spaces))


def show_video(value: Any) -> None:
    """Search a video or not: {"id", "on"}; only one: {"only": id}; all: {"all": true}."""
    hidden = state.search().hidden_videos
    if value.get("all"):
        hidden = frozenset()
    elif "only" in value:
        hidden = frozenset(video.video_id for video in media.visible_videos(resources.library())) - {str(value["only"])}
    else:
        hidden = hidden - {str(value["id"])} if value["on"] else hidden | {str(value["id"])}
    state.update_search(hidden_videos=hidden)


def current_weights(library: Library) -> dict[str, float]:
    """The weights of this page, else those that searches use by default."""
    weights = state.search().weights
    if weights is None:
        weights = library.evaluation.defaults().weights
        state.update_search(weights=dict(weights), page=state.search().page)
    return {name: float(weights.get(name, 0.0)) for name in views.CHANNELS}


def current_fusion(library: Library) -> str:
    """The fusion method of this page, else the one that searches use by default."""
    return state.search().fusion or library.evaluation.defaults().fusion


def draw(library: Library, videos: Sequence[VisibleVideo], note: str) -> None:
    """Draw the dial.

    Args:
        library: to search.
        videos: that can be searched.
        note: what is below it, for example that some videos cannot be searched yet.
    """
    search, owners = state.search(), sharing.from_texts(library)
    dial(
        "hx_dial",
        {
            "weights": current_weights(library),
            "presets": [{"label": t(f"preset.{name}"), "weights": weights} for name, weights in PRESETS.items()],
            "fusion": current_fusion(library),
            "fusions": [
                {"name": name, "label": t(f"fusion.{name}"), "title": t(f"fusion.{name}.title")}
                for name in search_address.FUSIONS
            ],
            "spaces": [
                {
                    "kind": kind,
                    "label": t(f"channel.{kind}"),
                    "choices": [
                        {"name": space.name, "label": space.name.partition("/")[2], "on": space.name in chosen}
                        for space in of_kind
                    ],
                }
                for kind, (of_kind, chosen) in views.space_choices(library, search.spaces).items()
            ],
            "videos": [
                {
                    "id": video.video_id,
                    "title": video.title,
                    "owner": owners.get(video.video_id, ""),
                    "only": t("dial.only_this", title=video.title),
                    "count": video.scene_count,
                    "on": video.video_id not in search.hidden_videos,
                }
                for video in videos
            ],
            "note": note,
            "is_empty": not search.is_asked,
            "labels": {name: t(f"dial.{name}") for name in _LABELS}
            | {f"channel_{name}": t(f"channel.{name}") for name in views.CHANNELS},
        },
        {
            "set_weights": set_weights,
            "save_weights": save_weights,
            "set_fusion": set_fusion,
            "set_space": set_space,
            "show_video": show_video,
        },
    )
