"""The panel beside a grid of scenes, and what happens when a scene is chosen."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from heimdex_core.library import Library
from heimdex_core.types import Hit, Scene, SearchResult
from ui import media, resources, search_filters, state, tray
from ui.components import player
from ui.views import scenes as views


def select(value: Any) -> None:
    """Show a scene in the panel: {"id": scene_id, "play": bool}."""
    state.update_search(selected=str(value["id"]), play_count=state.search().play_count + bool(value.get("play")))


def keep(value: Any) -> None:
    """Leave a scene, given by its id, in the player when the results change: it plays."""
    state.update_search(selected=str(value))


def step(value: Any) -> None:
    """Show the scene of the video before or behind the one that is shown: {"by": -1 or +1, "id": scene_id}.

    Of several steps in quick succession, each goes on from where the one before it has led.
    """
    library = resources.library()
    scene = library.scene(str(value["id"]))
    selected = state.search().selected
    if selected and selected.startswith(f"{scene.video_id}_"):
        scene = library.scene(selected)
    state.update_search(selected=_neighbours(library, scene)[int(value["by"]) > 0] or scene.scene_id)


def open_scene(value: Any) -> None:
    select({"id": value, "play": True})


def open_video(value: Any) -> None:
    """Go to the page of a video from one of its scenes."""
    video_id = resources.library().video(str(value)).video_id
    state.open_video(video_id, scene_id=state.search().selected, back_to="search")


def open_scene_page(value: Any) -> None:
    """Go to the page of a scene: {"id": scene_id}."""
    state.open_scene(str(value["id"]))


def make_short(value: Any) -> None:
    """Go to the editor of a short: {"id": scene_id}."""
    state.open_short(str(value["id"]))


def like(value: Any) -> None:
    """Search for scenes like one: {"id": scene_id}, on whatever page it is."""
    search_filters.like(value)
    state.request_page("search", **_address())


def by_part(value: Any) -> None:
    """Search by a part of the picture: {"data": base64}, on whatever page it is."""
    search_filters.by_part(value)
    state.request_page("search", **_address())


def _address() -> dict[str, str | None]:
    """What the address of the search page has to name, or the page would be as it was before."""
    search = state.search()
    return {"like": ",".join(search.liked), "image": search.image}


def draw(
    library: Library,
    scene: Scene,
    *,
    key: str,
    hit: Hit | None = None,
    result: SearchResult | None = None,
    on_open_video: Callable[[Any], None] | None = open_video,
    with_lines: bool = True,
) -> None:
    """Draw the panel of one scene.

    Args:
        library: has the scene.
        scene: what to show.
        key: of the component.
        hit: the scene as a hit, if it is on the current page of results.
        result: the current search, if there is one.
        on_open_video: called with the video_id; None if the page of the video is already open.
        with_lines: whether the transcript is below it.
    """
    video = media.video_of(library, scene.video_id)
    terms = result.terms if result is not None else ()
    lines = views.lines(library, scene, video.generation or 0, terms) if with_lines else None
    data = views.panel(
        library,
        scene,
        video,
        neighbours=_neighbours(library, scene),
        picked=tray.picked_ids(library),
        lines=lines,
        explanation=views.explanation(scene, hit, result),
    )
    search = state.search()
    data |= {
        "play_count": search.play_count,
        "ignored_plays": search.ignored_plays,
        "unpinned": result is not None and search.selected is None,
    }
    handlers: dict[str, Callable[[Any], None]] = {
        "pick": tray.pick,
        "step": step,
        "keep": keep,
        "like": search_filters.like if result is not None else like,
        "picture": search_filters.by_part if result is not None else by_part,
        "short": make_short,
        "open_scene": open_scene_page,
        "renew": lambda _: None,
    }
    if on_open_video is None:
        data["actions"] = [action for action in data["actions"] if action["name"] != "open_video"]
    else:
        handlers["open_video"] = on_open_video
    player(key, data, handlers)


def _neighbours(library: Library, scene: Scene) -> tuple[str | None, str | None]:
    """The ids of the previous and the next scene of the same video."""
    ids = _scene_ids(library, scene.video_id, media.video_of(library, scene.video_id).generation or 0)
    if scene.scene_id not in ids:
        return None, None
    at = ids.index(scene.scene_id)
    return (ids[at - 1] if at > 0 else None), (ids[at + 1] if at + 1 < len(ids) else None)


@lru_cache(maxsize=256)
def _scene_ids(library: Library, video_id: str, generation: int) -> list[str]:
    # read once per generation, which never changes: the catalog need not be opened at every move of a slider
    return [scene.scene_id for scene in library.scenes(video_id)]
