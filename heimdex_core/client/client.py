"""Client: what programs do with a library over the network, by the names of Library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from heimdex_core.client.connection import Connection
from heimdex_core.client.people import ClientPeople
from heimdex_core.client.uploading import in_base64, upload
from heimdex_core.errors import HeimdexError
from heimdex_core.schemas import shapes
from heimdex_core.types import DEFAULT_QUERY_SET, Example, Filters, Json, Sort, Then, to_json


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
        found = self._connection.member("progress", "GET", f"/exports/{export_id}/status")
        return None if found is None else self._connection.shaped(shapes.Progress, found)

    def wait(self, export_id: str) -> shapes.Export:
        """The export once its render is over. Raises the error that it failed with."""
        for _ in self._connection.follow(f"/exports/{export_id}/events"):
            pass
        found = self.get(export_id)
        if found.error is not None:
            raise HeimdexError.from_dict(found.error)
        return found

    def file(self, export_id: str, out: str | Path) -> Path:
        """Download the file of an export to `out`, which is replaced. Raises ExportExpired, ExportNotFound."""
        link = self._connection.member("url", "GET", f"/exports/{export_id}/file")
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


class ClientSharing:
    """What other users share with the user (`lib.sharing`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def shared_with_me(self) -> list[shapes.Share]:
        """The videos and collections that others share with the user."""
        return list(self._connection.pages(shapes.Share, "/shared-with-me"))

    def give_back(self, kind: str, target_id: str) -> None:
        """Give back a "video" or "collection"; only its owner can share it again. Raises ShareNotFound."""
        self._connection.json("DELETE", f"/shared-with-me/{kind}s/{target_id}")


class Client:
    """A library on a server, as the user of a token sees it. Safe to share between threads.

    Args:
        url: of the server, such as http://localhost:8600; with https, if anybody else can read the network.
        token: of the user, made on the Settings page or with `users tokens make`.
        http: sends the requests, for example through a proxy, and is not closed here; default one of its own.

    Every method raises the errors of the library, SignInRequired, TokenInvalid, TokenExpired and NotAllowed;
    ServerUnreachable after three tries without an answer; RateLimited where the server asks to wait for more than a
    minute, and waits and tries again where it asks for less; AnswerUnusable where something else answers.

    Raises InvalidValue for what is no address.

    Attributes:
        exports: what was rendered.
        evaluation: judgements and runs.
        people: people in the picture.
        sharing: what other users share with the user.
    """

    def __init__(self, url: str, token: str, http: httpx2.Client | None = None) -> None:
        self._connection = Connection(url, token, http)
        self.exports = ClientExports(self._connection)
        self.evaluation = ClientEvaluation(self._connection)
        self.people = ClientPeople(self._connection)
        self.sharing = ClientSharing(self._connection)

    def close(self) -> None:
        """Let go of the connections; those of a given `http` stay open."""
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
        found = self._connection.member("progress", "GET", f"/videos/{video_id}/status")
        return None if found is None else self._connection.shaped(shapes.Progress, found)

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
        sort: Sort = "score",
        group_by_video: bool = False,
        example: Example | None = None,
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

        The picture of an example is a file on this machine. Raises FileUnreadable where it cannot be read.
        """
        body = {
            "text": text,
            "weights": None if weights is None else dict(weights),
            "fusion": fusion,
            "filters": None if filters is None else to_json(filters),
            "sort": sort,
            "group_by_video": group_by_video,
            "example": None if example is None else _example_body(example),
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
        return str(self._connection.member("text", "POST", "/timelines", body))

    def events(self, video_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(event, status) whenever the work on a video comes further: "progress", and "done" at the end."""
        return self._connection.follow(f"/videos/{video_id}/events")


def _example_body(example: Example) -> Json:
    return {
        "scene_ids": list(example.scene_ids),
        "less_like": list(example.less_like),
        "image": None if example.image is None else in_base64(example.image),
        "box": example.box,
    }
