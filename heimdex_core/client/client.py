"""Client: what programs do with a library over the network, by the names of Library."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from heimdex_core.client.connection import Connection
from heimdex_core.client.people import ClientPeople
from heimdex_core.client.uploading import upload
from heimdex_core.errors import HeimdexError
from heimdex_core.schemas import shapes
from heimdex_core.types import DEFAULT_QUERY_SET, Filters, Then, to_json


class ClientExports:
    """The user's exports (`lib.exports`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, limit: int | None = None) -> list[shapes.Export]:
        """The exports, newest first."""
        return list(self._connection.pages(shapes.Export, "/exports", limit))

    def get(self, export_id: str) -> shapes.Export:
        """One export. Raises ExportNotFound."""
        return self._connection.one(shapes.Export, "GET", f"/exports/{export_id}")

    def progress(self, export_id: str) -> shapes.Progress | None:
        """Where a render stands; None while nothing runs."""
        found = self._connection.json("GET", f"/exports/{export_id}/status")["progress"]
        return None if found is None else shapes.Progress.model_validate(found)

    def wait(self, export_id: str) -> shapes.Export:
        """The export once its render is over. Raises the error that it failed with."""
        for _ in self._connection.follow(f"/exports/{export_id}/events"):
            pass
        found = self.get(export_id)
        if found.error is not None:
            raise HeimdexError.from_dict(found.error)
        return found

    def file(self, export_id: str, out: str | Path) -> Path:
        """Download the file of an export to `out`. Raises ExportExpired, ExportNotFound."""
        link = self._connection.json("GET", f"/exports/{export_id}/file")["url"]
        return self._connection.download(link, Path(out).expanduser())

    def cancel(self, export_id: str) -> shapes.Export:
        """Stop a render."""
        return self._connection.one(shapes.Export, "POST", f"/exports/{export_id}/cancel")

    def remove(self, export_id: str) -> shapes.Export:
        """Remove the file of an export; its record stays."""
        return self._connection.one(shapes.Export, "DELETE", f"/exports/{export_id}")


class ClientEvaluation:
    """The user's judgements and runs (`lib.evaluation`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def judgements(self, query_set: str | None = None, *, query: str | None = None) -> list[shapes.Judgement]:
        """The judgements, in the order in which they were made."""
        return list(self._connection.pages(shapes.Judgement, "/judgements", query_set=query_set, query=query))

    def forget(self, judgement_id: str) -> None:
        """Take a judgement back."""
        self._connection.json("DELETE", f"/judgements/{judgement_id}")

    def runs(self, query_set: str | None = None) -> list[shapes.EvaluationRun]:
        """The runs, newest first."""
        return list(self._connection.pages(shapes.EvaluationRun, "/runs", query_set=query_set))

    def run(self, run: str) -> shapes.EvaluationRun:
        """A run by its id or name. Raises UnknownName."""
        return self._connection.one(shapes.EvaluationRun, "GET", f"/runs/{run}")

    def delete_run(self, run: str) -> None:
        """Remove a run."""
        self._connection.json("DELETE", f"/runs/{run}")


class Client:
    """A library on a server, as the user of a token sees it. Safe to share between threads.

    Args:
        url: of the server, such as http://localhost:8600.
        token: of the user, made on the Settings page or with `users tokens make`.
        http: sends the requests; default one of its own.

    Every method raises the errors of the library, SignInRequired, TokenInvalid, TokenExpired, NotAllowed, RateLimited,
    and NotResponding where the server cannot be reached.

    Attributes:
        exports: what was rendered.
        evaluation: judgements and runs.
        people: people in the picture.
    """

    def __init__(self, url: str, token: str, http: httpx2.Client | None = None) -> None:
        self._connection = Connection(url, token, http)
        self.exports = ClientExports(self._connection)
        self.evaluation = ClientEvaluation(self._connection)
        self.people = ClientPeople(self._connection)

    def close(self) -> None:
        """Let go of the connections."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- videos and scenes ------------------------------------------------------------------------

    def add(
        self,
        path: str | Path,
        *,
        title: str | None = None,
        description: str = "",
        subtitles: str | Path | None = None,
        language: str | None = None,
    ) -> shapes.Video:
        """Upload a video file; the worker of the library indexes it (`wait`). See Library.add."""
        about = {"title": title, "description": description, "language": language}
        files = [Path(subtitles).expanduser()] if subtitles is not None else []
        return upload(self._connection, Path(path).expanduser(), about, files)

    def videos(self, *, include_deleted: bool = False, limit: int | None = None) -> list[shapes.Video]:
        """The user's videos, newest first."""
        return list(self._connection.pages(shapes.Video, "/videos", limit, deleted=include_deleted))

    def video(self, video_id: str) -> shapes.Video:
        """One video. Raises VideoNotFound."""
        return self._connection.one(shapes.Video, "GET", f"/videos/{video_id}")

    def wait(self, video_id: str) -> shapes.Video:
        """The video once the work on it is over; its `state` says how it ended."""
        for _ in self._connection.follow(f"/videos/{video_id}/events"):
            pass
        return self.video(video_id)

    def progress(self, video_id: str) -> shapes.Progress | None:
        """Where the work on a video stands; None while nobody works on it."""
        found = self._connection.json("GET", f"/videos/{video_id}/status")["progress"]
        return None if found is None else shapes.Progress.model_validate(found)

    def rename(self, video_id: str, title: str) -> shapes.Video:
        """Give a video another title."""
        return self._connection.one(shapes.Video, "PATCH", f"/videos/{video_id}", {"title": title})

    def delete(self, video_id: str) -> shapes.Video:
        """Hide a video everywhere; `restore` brings it back until it is cleaned up."""
        return self._connection.one(shapes.Video, "DELETE", f"/videos/{video_id}")

    def restore(self, video_id: str) -> shapes.Video:
        """Undo `delete`."""
        return self._connection.one(shapes.Video, "POST", f"/videos/{video_id}/restore")

    def retry(self, video_id: str) -> shapes.Video:
        """Index a failed video again."""
        return self._connection.one(shapes.Video, "POST", f"/videos/{video_id}/retry")

    def cancel(self, video_id: str) -> shapes.Video:
        """Stop the work on a video."""
        return self._connection.one(shapes.Video, "POST", f"/videos/{video_id}/cancel")

    def reindex_video(
        self, video_id: str, *, language: str | None = None, params: Mapping[str, Any] | None = None
    ) -> shapes.Video:
        """Index a video again; it stays searchable meanwhile."""
        body = {"language": language, "params": None if params is None else dict(params)}
        return self._connection.one(shapes.Video, "POST", f"/videos/{video_id}/reindex", body)

    def scenes(self, video_id: str) -> list[shapes.Scene]:
        """The scenes of a video in their order."""
        return list(self._connection.pages(shapes.Scene, f"/videos/{video_id}/scenes"))

    def scene(self, scene_id: str) -> shapes.Scene:
        """One scene. Raises SceneNotFound."""
        return self._connection.one(shapes.Scene, "GET", f"/scenes/{scene_id}")

    # --- search and evaluation --------------------------------------------------------------------

    def search(
        self,
        text: str = "",
        *,
        weights: Mapping[str, float] | None = None,
        fusion: str | None = None,
        filters: Filters | None = None,
        sort: str = "score",
        group_by_video: bool = False,
        like: Sequence[str] = (),
        less_like: Sequence[str] = (),
        image: str | Path | None = None,
        box: tuple[float, float, float, float] | None = None,
        then: Then | None = None,
        videos: Sequence[str] | None = None,
        spaces: Sequence[str] = (),
        collapse: bool = True,
        facets: bool = False,
        view_token: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> shapes.SearchResult:
        """The scenes that fit `text`, best first, each with its reasons; see Library.search.

        Args:
            like, less_like: ids of scenes to find similar ones to, and to move away from.
            image, box: the file of a picture to find similar scenes to, and the part of it that counts.
        """
        example = {
            "scene_ids": list(like),
            "less_like": list(less_like),
            "image": base64.b64encode(Path(image).expanduser().read_bytes()).decode() if image is not None else None,
            "box": box,
        }
        body = {
            "text": text,
            "weights": None if weights is None else dict(weights),
            "fusion": fusion,
            "filters": None if filters is None else to_json(filters),
            "sort": sort,
            "group_by_video": group_by_video,
            "example": example if any(example.values()) else None,
            "then": None if then is None else to_json(then),
            "videos": None if videos is None else list(videos),
            "spaces": list(spaces),
            "collapse": collapse,
            "facets": facets,
            "view_token": view_token,
            "limit": limit,
            "offset": offset,
        }
        return self._connection.one(shapes.SearchResult, "POST", "/search", body)

    def judge(
        self, text: str, scene_id: str, grade: int, *, reason: str = "", query_set: str = DEFAULT_QUERY_SET
    ) -> shapes.Judgement:
        """Say how well a scene fits a query: 0 (not relevant) to 3 (exactly what was asked for)."""
        body = {"text": text, "scene_id": scene_id, "grade": grade, "reason": reason, "query_set": query_set}
        return self._connection.one(shapes.Judgement, "POST", "/judgements", body)

    def evaluate(self, query_set: str | None = None, **settings: Any) -> shapes.EvaluationRun:
        """Search for every query of a set and keep it as a run; `settings` as of Library.evaluate."""
        body = {"query_set": query_set, **to_json(settings)}
        return self._connection.one(shapes.EvaluationRun, "POST", "/runs", body)

    # --- shorts and reels -------------------------------------------------------------------------

    def short(self, scene_id: str, **options: Any) -> shapes.Export:
        """Have a scene rendered into a 9:16 MP4; `options` as of Library.short, without `out` and `queue`."""
        return self._connection.one(shapes.Export, "POST", "/shorts", {"scene_id": scene_id, **to_json(options)})

    def reel(self, clips: Sequence[str | Mapping[str, Any]], **options: Any) -> shapes.Export:
        """Have an MP4 rendered of clips: ids of scenes, or {"scene_id", "start_s", "end_s", "strategy"}.

        `options` are those of Library.reel, without `out` and `queue`.
        """
        return self._connection.one(shapes.Export, "POST", "/highlights", {"clips": list(clips), **to_json(options)})

    def timeline(
        self, clips: Sequence[str | Mapping[str, Any]], format: str, *, title: str = "", fps: float | None = None
    ) -> str:
        """The edit of a reel for editing programs, as text."""
        body = {"clips": list(clips), "format": format, "title": title, "fps": fps}
        return str(self._connection.json("POST", "/timelines", body)["text"])

    def events(self, video_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(event, status) whenever the work on a video comes further: "progress", and "done" at the end."""
        return self._connection.follow(f"/videos/{video_id}/events")
