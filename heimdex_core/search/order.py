"""The order in which found scenes are shown: by score, by time, newest first, by video, and named videos first."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from heimdex_core.search.fusion.base import FusedScene, ids_of
from heimdex_core.search.listing import Listing
from heimdex_core.store.hits import rows_in, table_of
from heimdex_core.store.ordering import distinct
from heimdex_core.types import Sort, VisibleVideo, parse_scene_id


def video_of(scene_id: str) -> str:
    """The id of a scene's video."""
    return scene_id.rsplit("_", 2)[0]


def ordered(
    ranking: Sequence[FusedScene],
    videos: Sequence[VisibleVideo],
    *,
    sort: Sort = "score",
    group_by_video: bool = False,
    first: Collection[str] = (),
) -> Sequence[FusedScene]:
    """The scenes in the order that a query asks for.

    Args:
        ranking: best first.
        videos: the searched videos, newest first.
        sort: "score" keeps the ranking; "time" is the order in which the videos were added, each from its beginning to
            its end; "newest" has the videos that were added last first, each with its best scenes first.
        group_by_video: the scenes of a video stand together, the video with the first scene first.
        first: ids of videos whose scenes come before all others.
    """
    if sort == "score" and not group_by_video and not first:
        return ranking
    if isinstance(ranking, Listing):
        return ranking.ordered(sort, first)
    found = list(ranking)
    newest = {video.video_id: number for number, video in enumerate(videos)}
    if sort == "newest":
        found.sort(key=lambda item: newest.get(video_of(item.scene_id), len(newest)))
    elif sort == "time":
        found.sort(key=lambda item: _time(item.scene_id, newest))
    if group_by_video:
        places: dict[str, int] = {}
        for item in found:
            places.setdefault(video_of(item.scene_id), len(places))
        found.sort(key=lambda item: places[video_of(item.scene_id)])
    if first:
        found.sort(key=lambda item: video_of(item.scene_id) not in first)
    return tuple(found)


def video_count(ranking: Sequence[FusedScene]) -> int:
    """How many videos the scenes are from."""
    scene_ids = ids_of(ranking)
    table = table_of(scene_ids)
    if table is not None:
        return len(distinct(table.video_numbers[rows_in(table, scene_ids)]))
    return len(set(map(video_of, scene_ids)))


def _time(scene_id: str, newest: Mapping[str, int]) -> tuple[int, int, int]:
    video_id, start_ms, end_ms = parse_scene_id(scene_id)
    return -newest.get(video_id, len(newest)), start_ms, end_ms


def named_videos(text: str, videos: Sequence[VisibleVideo]) -> tuple[tuple[str, ...], str]:
    """(ids of the videos whose file name the text has, the text without names that have their ending).

    A name with its ending counts wherever it stands between spaces. Without it the name has to be the whole text, and
    no ordinary word: who looks for "harbour" does not mean harbour.mp4, but IMG_2031 is a file.
    """
    folded = text.casefold()
    is_stem = not all(character.isalpha() or character.isspace() for character in text)
    found: list[str] = []
    rest = text
    for video in videos if is_stem else ():
        name, stem = _folded_names(video.filename)
        if name and name in folded:
            written = re.escape(" ".join(video.filename.split()))
            pattern = re.compile(rf"(?<!\S){written}(?!\S)", re.IGNORECASE)
            if pattern.search(text):
                found.append(video.video_id)
                rest = pattern.sub(" ", rest)
                continue
        if stem and stem == folded:
            found.append(video.video_id)
    return tuple(found), " ".join(rest.split())


@lru_cache(maxsize=1 << 15)  # a search asks it of all videos
def _folded_names(filename: str) -> tuple[str, str]:
    """(the name with its ending, without it) in one case; the first is empty where there is no ending or no stem."""
    name = " ".join(filename.split())
    stem, dot, _ = name.rpartition(".")
    return name.casefold() if dot and stem else "", stem.casefold()
