"""The panel beside a grid of scenes, and what happens when a scene is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heimdex_core.library import Library
from heimdex_core.types import Hit, Scene, SearchResult
from ui import media, resources, state, tray
from ui.components import player
from ui.views import scenes as views


def select(value: Any) -> None:
    """Show a scene in the panel: {"id": scene_id, "play": bool}."""
    state.update_search(selected=str(value["id"]), play_count=state.search().play_count + bool(value.get("play")))


def step(value: Any) -> None:
    """Show the previous or next scene of the video, given by its id; None at either end."""
    if value is not None:
        state.update_search(selected=str(value))


def open_scene(value: Any) -> None:
    select({"id": value, "play": True})


def open_video(value: Any) -> None:
    """Go to the page of a video."""
    state.open_video(str(resources.library().video(str(value)).video_id))
    state.request_page("library")


def draw(
    library: Library,
    scene: Scene,
    *,
    key: str,
    hit: Hit | None = None,
    result: SearchResult | None = None,
    on_open_video: Callable[[Any], None] | None = open_video,
) -> None:
    """Draw the panel of one scene.

    Args:
        library: has the scene.
        scene: what to show.
        key: of the component.
        hit: the scene as a hit, if it is on the current page of results.
        result: the current search, if there is one.
        on_open_video: called with the video_id; None if the page of the video is already open.
    """
    video = media.video_of(library, scene.video_id)
    segments = library.words(scene.video_id)
    data = views.panel(
        library,
        scene,
        video,
        neighbours=_neighbours(library, scene),
        picked=tray.picked_ids(library),
        lines=views.lines_around(segments, scene, result.terms if result is not None else ()),
        explanation=views.explanation(hit, result),
    )
    data |= {"play_count": state.search().play_count, "ignored_plays": state.search().ignored_plays}
    handlers: dict[str, Callable[[Any], None]] = {"pick": tray.pick, "step": step, "renew": lambda _: None}
    if on_open_video is None:
        data["actions"] = [action for action in data["actions"] if action["name"] != "open_video"]
    else:
        handlers["open_video"] = on_open_video
    player(key, data, handlers)


def _neighbours(library: Library, scene: Scene) -> tuple[str | None, str | None]:
    """The ids of the previous and the next scene of the same video."""
    ids = [other.scene_id for other in library.scenes(scene.video_id)]
    if scene.scene_id not in ids:
        return None, None
    at = ids.index(scene.scene_id)
    return (ids[at - 1] if at > 0 else None), (ids[at + 1] if at + 1 < len(ids) else None)
