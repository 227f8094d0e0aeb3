"""What the filters, the chips and the cards of the search page do to the current search."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import Any

from heimdex_core.errors import InvalidValue
from heimdex_core.types import NO_FILTERS, Filters
from ui import judging, resources, search_address, search_dial, state
from ui.views import filters as views

RATED_GRADES = {"liked": 2, "disliked": 0}
"""The judgements that thumbs up and thumbs down are kept as."""
_MOST_EXAMPLES = 20


def set_one(value: Any) -> None:
    """Set the order or one filter: {"name", "value"}; None or an empty value takes the filter away."""
    name, wanted = str(value["name"]), value["value"]
    if name == "sort":
        state.update_search(sort=wanted if wanted in search_address.SORTS else "score")
    elif name == "grouped":
        state.update_search(grouped=bool(wanted))
    elif name == "then":
        state.update_search(then=" ".join(str(wanted or "").split())[: search_address.MAX_QUERY_CHARS])
    elif name == "within_s":
        given = search_address.filters_of({"max": str(wanted)}).max_s
        state.update_search(within_s=min(given, search_address.MAX_WITHIN_S) if given else state.THEN_WITHIN_S)
    else:
        state.update_search(filters=_with(state.search().filters, name, wanted))


def _with(filters: Filters, name: str, wanted: Any) -> Filters:
    if name == "has_speech":
        chosen = wanted[0] if wanted else None
        return replace(filters, has_speech={"true": True, "false": False}.get(str(chosen)))
    if name == "owner":
        mine, shared = "mine" in (wanted or ()), "shared" in (wanted or ())
        return replace(filters, owner="mine" if mine else "shared" if shared else None)
    if name in ("languages", "tags", "people", "collections"):
        return _replaced(filters, name, tuple(str(one) for one in wanted or ()))
    if name not in views.FIELDS:
        return filters
    # what is typed is read as it is in an address
    names = {
        "filename": "file",
        "on_screen": "screen",
        "added_from": "from",
        "added_to": "to",
        "min_s": "min",
        "max_s": "max",
    }
    read = search_address.filters_of({names.get(name, name): str(wanted or "")})
    return _replaced(filters, name, getattr(read, name))


def _replaced(filters: Filters, name: str, value: Any) -> Filters:
    return replace(filters, **{name: value})


def clear(_: Any) -> None:
    """Take all filters and examples away; the query stays."""
    state.update_search(filters=NO_FILTERS, liked=(), disliked=(), image=None, then="")


def remove(value: Any) -> None:
    """Take one chip away: {"name", "value"}."""
    name, one = str(value["name"]), str(value["value"])
    search = state.search()
    if name in ("liked", "disliked"):
        state.update_search(**{name: tuple(kept for kept in getattr(search, name) if kept != one)})
    elif name == "image":
        state.update_search(image=None)
    elif name == "then":
        state.update_search(then="")
    elif name in ("languages", "tags", "people", "collections"):
        kept = tuple(other for other in getattr(search.filters, name) if other != one)
        state.update_search(filters=_replaced(search.filters, name, kept))
    elif hasattr(NO_FILTERS, name):
        state.update_search(filters=_replaced(search.filters, name, getattr(NO_FILTERS, name)))


# --- examples -------------------------------------------------------------------------------------


def like(value: Any) -> None:
    """Search for scenes like one: {"id": scene_id}, instead of for what was searched before."""
    search_for_example(liked=(str(value["id"]),))


def by_picture(value: Any) -> None:
    """Search by a picture, beside the text if there is one: {"data": base64}. Raises InvalidValue, DiskFull."""
    try:
        data = base64.b64decode(str(value["data"]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidValue(name="picture", value="", reason="it is not base64") from error
    state.update_search(image=resources.library().searches.keep_picture(data), selected=None)


def by_part(value: Any) -> None:
    """Search by what is in a box on the picture, instead of for what was searched before."""
    by_picture(value)
    search_for_example(image=state.search().image)


def search_for_example(**example: Any) -> None:
    """Search by `liked` scenes or an `image` alone, within the filters."""
    state.set_query("")
    state.update_search(**{"liked": (), "disliked": (), "image": None, "then": "", **example})


def rate(value: Any) -> None:
    """Ask for more or less of the kind of a scene: {"id": scene_id, "name": "liked", "disliked" or None}.

    It is kept as a judgement of the query, too, unless the scene was given a grade that says the same.
    """
    scene_id, name = str(value["id"]), value.get("name")
    search = state.search()
    before = next((one for one in RATED_GRADES if scene_id in getattr(search, one)), None)
    lists = {one: tuple(kept for kept in getattr(search, one) if kept != scene_id) for one in RATED_GRADES}
    if name in RATED_GRADES:
        lists[name] = (*lists[name], scene_id)[-_MOST_EXAMPLES:]
    state.update_search(**lists, selected=search.selected or scene_id)
    if not search.query:
        return
    known = judging.grades(resources.library(), search.query).get(scene_id)
    wanted = RATED_GRADES.get(str(name))
    if wanted is None and (before is None or known != RATED_GRADES[before]):
        return  # what was graded with the keys stays
    if known is None or wanted is None or (known >= RATED_GRADES["liked"]) != (wanted >= RATED_GRADES["liked"]):
        judging.judge({"id": scene_id, "grade": wanted, "text": search.query})


def unfold(value: Any) -> None:
    """Show the near-identical scenes of a card or not: {"id": scene_id, "on"}."""
    unfolded = state.search().unfolded - {str(value["id"])}
    state.update_search(unfolded=unfolded | {str(value["id"])} if value["on"] else unfolded, page=state.search().page)


# --- saved searches -------------------------------------------------------------------------------


def save(value: Any) -> None:
    """Save the current search: {"name"}. Raises InvalidValue, LibraryBusy, DiskFull."""
    library = resources.library()
    weights, fusion = search_dial.current_weights(library), search_dial.current_fusion(library)
    search = replace(state.search(), selected=None, page=0, fusion=fusion)
    ids = [video.video_id for video in library.searchable_videos()]
    entry, details = search_address.params(search, weights, library.settings.fusion, ids)
    library.searches.save(str(value["name"]), {key: one for key, one in {**entry, **details}.items() if one})
