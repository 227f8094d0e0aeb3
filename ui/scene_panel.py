"""What the search page and a video's own page share: a grid of scenes and the panel beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heimdex_core.library import Library
from heimdex_core.types import Hit, Scene, SearchResult
from ui import media, resources, state, tray
from ui.components.controls import player
from ui.views import scenes as views


def select(value: Any) -> None:
    """A card was chosen: {"id": scene_id, "play": bool}."""
    play = state.search().play + 1 if value.get("play") else state.search().play
    state.update_search(selected=str(value["id"]), play=play)


def step(value: Any) -> None:
    """To the scene before or after in the same video."""
    if value is not None:
        state.update_search(selected=str(value))


def open_scene(value: Any) -> None:
    select({"id": value, "play": True})


def open_video(value: Any) -> None:
    state.open_video(str(resources.library().video(str(value)).video_id))
    state.want_page("library")


def draw(
    library: Library,
    scene: Scene,
    *,
    key: str,
    hit: Hit | None = None,
    result: SearchResult | None = None,
    on_open_video: Callable[[Any], None] | None = open_video,
) -> None:
    """The panel of one scene."""
    video = media.video_of(library, scene.video_id)
    segments = library.words(scene.video_id)
    data = views.panel(
        library,
        scene,
        video,
        neighbours=_neighbours(library, scene),
        picked=tray.picked_ids(library),
        play=(state.search().play, state.search().played),
        lines=views.lines_around(segments, scene, result.terms if result is not None else ()),
        reasons=views.why(hit, result),
    )
    if on_open_video is None:
        data["actions"] = [action for action in data["actions"] if action["name"] != "open_video"]
    handlers: dict[str, Callable[[Any], None]] = {"pick": tray.pick, "step": step, "renew": lambda _: None}
    if on_open_video is not None:
        handlers["open_video"] = on_open_video
    player(key, data, handlers)


def _neighbours(library: Library, scene: Scene) -> tuple[str | None, str | None]:
    ids = [other.scene_id for other in library.scenes(scene.video_id)]
    if scene.scene_id not in ids:
        return None, None
    at = ids.index(scene.scene_id)
    return (ids[at - 1] if at > 0 else None), (ids[at + 1] if at + 1 < len(ids) else None)
