"""Library: everything the app, the command line, the worker and notebooks do with a library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from heimdex_core.library.account_removal import remove_user
from heimdex_core.library.accounts import Accounts, require_admin_of_shared
from heimdex_core.library.activity import Activity
from heimdex_core.library.arguments import AnyPath, Count, Names, checked
from heimdex_core.library.closed import ClosedLibrary
from heimdex_core.library.context import LibraryContext, WorkQueue, open_context
from heimdex_core.library.corrections import Corrections
from heimdex_core.library.diagnostics import examine
from heimdex_core.library.evaluation import Evaluation
from heimdex_core.library.library_exports import LibraryExports
from heimdex_core.library.maintenance import clean_up
from heimdex_core.library.model_sets import LibraryModelSets
from heimdex_core.library.people import People
from heimdex_core.library.reels import Reels
from heimdex_core.library.requests import Requests
from heimdex_core.library.scene_details import SceneDetails
from heimdex_core.library.scene_edits import SceneEdits
from heimdex_core.library.searches import Searches
from heimdex_core.library.sharing import Sharing
from heimdex_core.library.sprites import Sprites
from heimdex_core.library.tray import TrayEdits
from heimdex_core.library.watching import WatchedFolders
from heimdex_core.models.registry import Models, Purpose
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import Settings, get_settings
from heimdex_core.store.addresses import LibraryPlace
from heimdex_core.store.published import PublishedState
from heimdex_core.types import (
    DEFAULT_QUERY_SET,
    NO_FILTERS,
    EvaluationRun,
    Example,
    Filters,
    Query,
    ReelClip,
    SceneJudgement,
    SearchResult,
    Sort,
    Space,
    Then,
    Tray,
    WorkContext,
)

if TYPE_CHECKING:
    import pandas as pd


class Library(LibraryExports, ClosedLibrary):
    """A folder of videos and what is known about them, as one person sees it.

    Attributes:
        accounts: who uses the library: signing in, users, roles and tokens.
        activity: what goes on in the library, for its admins.
        bulk: operations on several videos.
        corrections: the transcript and the tags, corrected by hand.
        evaluation: query sets and judgements, runs, sweeps, and the settings that searches use by default.
        exports: what was rendered (`reel` makes one).
        people: people in the picture, by their faces.
        reels: named reels beside the tray.
        model_sets: the models that the library is indexed with, and moving to others.
        requests: answers to requests of programs that may be sent again.
        scene_details: how scenes were made, and which look the same.
        scene_edits: splits and merges of scenes by hand.
        searches: saved searches, recent ones, and pictures to search by.
        sharing: videos and collections that users share with each other.
        shorts: previews, captions and the daily allowance of shorts, and several at once (`short` makes one).
        sprites: frames of scenes for pages that show them one by one, made when they are asked for.
        tray_edits: changes of the tray, with undo and redo.
        watched: folders whose new videos the worker adds.
        work: what the queue and the worker need.
    """

    def __init__(self, context: LibraryContext) -> None:
        """Use `open` or `as_user`."""
        super().__init__(context)
        self.accounts = Accounts(context)
        self.activity = Activity(context)
        self.requests = Requests(context)
        self.evaluation = Evaluation(context)
        self.model_sets = LibraryModelSets(context)
        self.sharing = Sharing(context)
        self.sprites = Sprites(context)
        self.reels = Reels(context)
        self.tray_edits = TrayEdits(context)
        self.scene_edits = SceneEdits(context, self.work)
        self.searches = Searches(context)
        self.scene_details = SceneDetails(context)
        self.corrections = Corrections(context, self.work)
        self.watched = WatchedFolders(context, self.work)
        self.people = People(context, self.accounts)
        self._searcher = Searcher(
            self._store.reader(),
            context.channels.of,
            self.settings,
            log=self._store.log_search,
            people=self.people.for_search,
        )

    @classmethod
    @checked
    def open(
        cls,
        path: AnyPath | None = None,
        *,
        user_id: str | None = None,
        profile: str | None = None,
        settings: Settings | None = None,
        create: bool = True,
        purpose: Purpose = "ingest",
    ) -> Library:
        """Open a library.

        Args:
            path: its folder, or s3://bucket/prefix for one in object storage, with HEIMDEX_DATABASE_URL; default
                HEIMDEX_LIBRARY, else data/library.
            user_id: whose videos are seen; default HEIMDEX_USER_ID, else "local".
            profile: the models of a new library ("auto", "offline", "laptop", "studio"). It is chosen once, when the
                library is made; `model_sets.move_to` changes it.
            settings: default the environment's.
            create: make the library where there is none; else LibraryNotFound is raised.
            purpose: with "query" models load only what searching needs.

        Raises LibraryNotFound, LibraryVersion for a newer format, LibraryDamaged, ProfileMismatch where the library
        uses another profile than the one given here.
        """
        settings = settings or get_settings()
        place = LibraryPlace.of(path if path is not None else settings.library, settings)
        user_id = user_id or settings.user_id
        return cls(open_context(place, settings, user_id=user_id, profile=profile, create=create, purpose=purpose))

    @checked
    def as_user(self, user_id: str) -> Library:
        """The same library as another person sees it; it shares the store, the models and what searches have loaded."""
        if user_id == self.user_id and not self._context.is_operator:
            return self
        return Library(replace(self._context, user_id=user_id, queue=None, is_operator=False))

    def as_operator(self) -> Library:
        """The same library with the rights of an admin: for the worker, and the command line of who owns its folder."""
        return self if self._context.is_operator else Library(replace(self._context, is_operator=True))

    def close(self) -> None:
        """Let go of what is held open; the library can be used again afterwards."""
        self._store.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def queue(self) -> WorkQueue | None:
        """Where work is handed to that the worker shall do; None where nobody has set one."""
        return self._context.queue

    @queue.setter
    def queue(self, queue: WorkQueue | None) -> None:
        self._context.queue = queue

    @property
    def models(self) -> Models:
        """The models in use, not loaded."""
        return self._context.models.active()

    # --- search -----------------------------------------------------------------------------------

    @checked
    def search(
        self,
        text: str = "",
        *,
        weights: Mapping[str, Any] | None = None,
        fusion: str | None = None,
        filters: Filters | None = None,
        sort: Sort = "score",
        group_by_video: bool = False,
        example: Example | None = None,
        then: Then | None = None,
        videos: Names | None = None,
        spaces: Names = (),
        collapse: bool = True,
        facets: bool = False,
        view_token: str | None = None,
        limit: Count | None = None,
        offset: Count = 0,
    ) -> SearchResult:
        """The scenes that fit `text`, best first, each with its reasons. Never waits for a writer.

        Args:
            text: up to HEIMDEX_MAX_QUERY_CHARS characters in the query language of docs/search.md. It may be empty
                where there is an example, or where filters say which scenes are to be listed.
            weights: by channel (transcript, vision, lexical), 0 to 1 each; default those of `evaluation.defaults`.
            fusion: one of search.fusion.fusion_names(); default that of `evaluation.defaults`.
            filters: which scenes to search, besides what the text says about it.
            sort: "score", best first; "time", in the order of adding and of playing; "newest", the videos that were
                added last first.
            group_by_video: keep the scenes of a video together.
            example: scenes or a picture to find similar scenes to, beside the text or without one.
            then: what has to follow in the same video.
            videos: ids of the only videos to search.
            spaces: names of spaces to search instead of their kind's first one, as in ["bge-m3"]; two of a kind
                are compared side by side, each a channel under its own name.
            collapse: fold nearly identical scenes under the best of them.
            facets: count the choices of the filters (SearchResult.facets).
            view_token: that of the first page's result, for pages that fit together while videos are added.
            limit: hits at most; default HEIMDEX_RESULT_LIMIT.
            offset: hits to leave out at the beginning.

        Raises InvalidQuery, InvalidFilter, InvalidWeights, InvalidValue, UnknownName; SearchFailed where no channel
        could answer.
        """
        defaults = self.evaluation.defaults()
        query = Query(
            text=text,
            weights=defaults.weights if weights is None else weights,
            fusion=fusion or defaults.fusion,
            keyframe_temperature=defaults.temperature,
            video_ids=tuple(videos) if videos is not None else None,
            filters=filters or NO_FILTERS,
            sort=sort,
            group_by_video=group_by_video,
            example=example,
            then=then,
            spaces=tuple(spaces),
            collapse=collapse,
            facets=facets,
            view_token=view_token,
            limit=self.settings.result_limit if limit is None else limit,
            offset=offset,
        )
        return self._searcher.search(query, user_id=self.user_id)

    def spaces(self) -> dict[str, Space]:
        """The vector spaces that a search can use now, by role ("text", "vision", ...; extra ones by their name)."""
        return dict(self._view().spaces)

    def warm(self) -> threading.Thread:
        """Load what a first search needs, in a background thread, which is returned."""
        thread = threading.Thread(target=self._searcher.warm, args=(self.user_id,), name="warm-models", daemon=True)
        thread.start()
        return thread

    @checked
    def sql(self, query: str, params: Sequence[Any] = ()) -> pd.DataFrame:
        """One reading statement over copies of the person's rows; `show tables` lists the tables. Raises InvalidSql."""
        return self._store.reader().ask(lambda view: view.sql(query, params, user_id=self.user_id))

    # --- evaluation -------------------------------------------------------------------------------

    def judge(
        self,
        text: str,
        scene_id: str,
        grade: int,
        *,
        reason: str = "",
        query_set: str = DEFAULT_QUERY_SET,
        judge: str | None = None,
    ) -> SceneJudgement:
        """Say how well a scene fits a query. The same judge's earlier grade of that scene and query is replaced.

        Args:
            text: the query; added to the query set if it is new there.
            scene_id: of one of the person's scenes. What is kept is its interval of the video, by which it is found
                again after a re-index.
            grade: 0 (not relevant) to 3 (exactly what was asked for).
            reason: free text.
            query_set: created if there is none of that name.
            judge: who judges; default the person.

        Raises SceneNotFound, InvalidValue.
        """
        return self.evaluation.judge(text, scene_id, grade, reason=reason, query_set=query_set, judge=judge)

    def evaluate(
        self,
        query_set: str | None = None,
        *,
        weights: Mapping[str, Any] | None = None,
        fusion: str | None = None,
        spaces: Sequence[str] = (),
        filters: Filters | None = None,
        temperature: float | None = None,
        model_set: int | None = None,
        name: str | None = None,
    ) -> EvaluationRun:
        """Search for every query of a set, score what was found by the judgements, and keep it as a run.

        Args:
            query_set: default the library's own set that has relevant judgements, else the sample's.
            weights, fusion, spaces, filters: as for `search`.
            temperature: of the softmax over the keyframes of a scene; default HEIMDEX_KEYFRAME_TEMPERATURE.
            model_set: the number of a set of `model_sets.all()` that has all videos; default the one in use.
            name: of the run; default a number.

        Raises NoJudgements, UnknownName, InvalidWeights, MoveIncomplete, SearchFailed.
        """
        return self.evaluation.evaluate(
            query_set,
            weights=weights,
            fusion=fusion,
            spaces=spaces,
            filters=filters,
            temperature=temperature,
            model_set=model_set,
            name=name,
        )

    # --- the tray ---------------------------------------------------------------------------------

    def tray(self) -> Tray:
        """The scenes picked so far; they survive searches, pages and restarts. `tray_edits` changes them."""
        return self._store.reels.tray(self.user_id)

    @checked
    def save_tray(self, clips: Sequence[ReelClip], *, title: str = "") -> Tray:
        """Replace the tray; of clips with the same clip_id, the first is kept."""
        unique: dict[str, ReelClip] = {}
        for clip in clips:
            unique.setdefault(clip.clip_id, clip)
        return self.tray_edits.replace(list(unique.values()), title)

    def published_state(self) -> PublishedState:
        """What other programs and open pages may have changed; equal until they do. Never waits for a writer."""
        return self._store.published_state(self.user_id)

    # --- preferences and maintenance --------------------------------------------------------------

    def preferences(self) -> dict[str, Any]:
        """The person's preferences by key. Never waits for a writer."""
        return self._store.preferences(self.user_id)

    @checked
    def set_preference(self, key: str, value: Any) -> None:
        """Set one preference to a JSON value; None removes it."""
        self._store.set_preference(self.user_id, key, value)

    @checked
    def reindex(self, *, progress: Callable[[float, float], None] | None = None) -> dict[str, Any]:
        """Make all indexes again from the videos' own files: {videos, scenes, vectors, problems}.

        `progress` is called with (done, total) in indexes. Searches go on meanwhile. In a shared library for admins;
        raises NotAllowed.
        """
        require_admin_of_shared(self._context)
        report = self._store.maintenance.rebuild_indexes(WorkContext(report=progress) if progress else None)
        self._store.maintenance.merge_indexes()
        return report

    def clean_up(self, *, is_cancelled: Callable[[], bool] = lambda: False) -> dict[str, int]:
        """Remove what is past its time: abandoned uploads, failed videos, expired exports, old work; counts by kind.

        Then the vector indexes are merged where it is time; `merged` counts how often. That can take minutes in a
        library of more than 40,000 scenes; `is_cancelled` is asked meanwhile. Searches and writers do not wait.
        Raises Cancelled, DiskFull, LibraryDamaged; a merge that was not finished leaves the index as it was. In a
        shared library for admins; raises NotAllowed.
        """
        require_admin_of_shared(self._context)
        for user_id in self._store.accounts.unfinished_removals():
            remove_user(self._context, user_id)
        return clean_up(self._store, self.settings, WorkContext(is_cancelled=is_cancelled))

    def stats(self) -> dict[str, Any]:
        """Numbers for the app: videos, scenes, duration_s, and disk (bytes by part)."""
        videos = self.videos()
        return {
            "videos": len(videos),
            "scenes": sum(video.scene_count for video in videos),
            "duration_s": sum(video.info.duration_s for video in videos if video.info),
            "disk": self._store.maintenance.disk_usage(),
        }

    def doctor(self) -> dict[str, Any]:
        """What is here, what was chosen and why, and what is wrong, as plain JSON values."""
        return examine(self._context)
