"""Judgements, topics and runs from files and into files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heimdex_core.errors import FileUnreadable, InvalidValue, NotWritable, SceneNotFound
from heimdex_core.evaluation import trec
from heimdex_core.evaluation.judged_set import JudgedSet
from heimdex_core.evaluation.judgements import VideoScenes, overlaps, qrels_of, read_queries
from heimdex_core.evaluation.tables import TableRow, read_table_rows, write_table_rows
from heimdex_core.files import atomic_write, disk_errors, make_folder
from heimdex_core.library.context import LibraryContext
from heimdex_core.store.judgements import NewJudgement
from heimdex_core.store.view import View
from heimdex_core.types import EvaluationRun, ImportReport, Scene, SceneJudgement, SetQuery, tidy_query

_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass
class _Found:
    """What a file says, as far as the library knows it."""

    queries: list[SetQuery] = field(default_factory=list)
    judgements: dict[tuple[str, str, str], NewJudgement] = field(default_factory=dict)
    """By query, scene_id and judge."""
    unknown: list[str] = field(default_factory=list)
    duplicates: int = 0


class EvaluationFiles:
    """Reads and writes the files of one person's evaluations."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    # --- reading ----------------------------------------------------------------------------------

    def import_qrels(
        self, path: Path, topics: Sequence[SetQuery], known: Sequence[SetQuery], query_set: str, judge: str
    ) -> ImportReport:
        """Take over a qrels file.

        Args:
            path: the file.
            topics: the queries of its ids, as read from a topics file.
            known: the queries that the set has already; their ids may be used too.
            query_set: the set to add to.
            judge: who judged.

        Raises FileUnreadable; InvalidValue for query ids without a text, for two grades of one scene, and if the
        library has none of the scenes.
        """
        texts = {query.query_id: query.text for query in (*known, *topics)}
        rows = trec.read_qrels(path)
        if nameless := sorted({row.query_id for row in rows} - texts.keys()):
            reason = "nothing tells the text of these queries; give the topics too"
            raise InvalidValue(name="query ids", value=", ".join(nameless[:10]), reason=reason)
        table = [TableRow(SetQuery(texts[row.query_id], row.query_id), row.grade, row.scene_id) for row in rows]
        return self._save(path, self._found(path, table, judge), query_set, extra=topics)

    def import_table(self, path: Path, query_set: str, judge: str) -> ImportReport:
        """Take over a CSV or Parquet file, or a JSON file of judged queries; errors as for `import_qrels`."""
        if path.suffix.lower() == ".json":
            return self._save(path, self._of_json(path, judge), query_set)
        return self._save(path, self._found(path, read_table_rows(path), judge), query_set)

    def read_run(self, path: Path, queries: Sequence[SetQuery]) -> tuple[str, dict[str, trec.Ranking], tuple[str, ...]]:
        """(name, rankings, scenes that the library does not have) of a run of these queries.

        Scenes that changed when their video was indexed again are the scenes that they are now. Raises FileUnreadable;
        InvalidValue if a query is not among `queries`, or the library has none of the scenes.
        """
        name, rankings = trec.read_run(path)
        if nameless := sorted(rankings.keys() - {query.query_id for query in queries}):
            reason = "the query set does not have these queries; import their topics first"
            raise InvalidValue(name="query ids", value=", ".join(nameless[:10]), reason=reason)
        view = self._view()
        now = {scene_id: self._scene(view, scene_id) for hits in rankings.values() for scene_id, _ in hits}
        unknown = tuple(scene_id for scene_id, scene in now.items() if scene is None)
        if len(unknown) == len(now):
            raise InvalidValue(name="run", value=path.name, reason="the library has none of its scenes")
        found: dict[str, trec.Ranking] = {}
        for query_id, hits in rankings.items():
            scores: dict[str, float] = {}
            for scene_id, score in hits:
                if (scene := now[scene_id]) is not None:
                    scores.setdefault(scene.scene_id, score)
            found[query_id] = tuple(scores.items())
        return name, found, unknown

    def _found(self, path: Path, rows: Iterable[TableRow], judge: str) -> _Found:
        view = self._view()
        found = _Found()
        known: dict[tuple[str, str, str], TableRow] = {}
        for row in rows:
            found.queries.append(row.query)
            if row.grade is None:
                continue
            scenes = self._scenes(view, row)
            if not scenes:
                found.unknown.append(row.place)
            for scene in scenes:
                key = (row.query.text, scene.scene_id, row.judge or judge)
                before = known.get(key)
                if before is None or (row.interval is not None and row.place != before.place):
                    # Of several intervals in one scene the highest grade counts, as in files of judged queries.
                    if before is None or row.grade > (before.grade or 0):
                        known[key], found.judgements[key] = row, _judgement(row, scene, row.judge or judge)
                elif before.grade == row.grade:
                    found.duplicates += 1
                else:
                    reason = f"{row.place} has the grades {before.grade} and {row.grade} for “{row.query.text[:80]}”"
                    raise FileUnreadable(filename=path.name, reason=reason)
        return found

    def _of_json(self, path: Path, judge: str) -> _Found:
        view, user_id = self._view(), self._context.user_id
        videos = [
            VideoScenes(video.title, video.filename, tuple(view.scenes(user_id, video.video_id)))
            for video in view.visible_videos(user_id)
        ]
        scenes = {scene.scene_id: scene for video in videos for scene in video.scenes}
        queries = read_queries(path)
        qrels = qrels_of(queries, videos)
        found = _Found()
        for query in queries:
            listed = SetQuery(tidy_query(query.text), query.query_id, query.language, query.kind)
            found.queries.append(listed)
            for scene_id, grade in qrels[query.query_id].items():
                if scene_id in scenes:
                    new = _judgement(TableRow(listed, int(grade)), scenes[scene_id], judge)
                    found.judgements[listed.text, scene_id, judge] = new
                else:
                    found.unknown.append(scene_id.removeprefix("missing:"))
        return found

    def _save(self, path: Path, found: _Found, query_set: str, extra: Sequence[SetQuery] = ()) -> ImportReport:
        if found.unknown and not found.judgements:
            raise InvalidValue(name="judgements", value=path.name, reason="the library has none of their scenes")
        queries = {query.text: query for query in reversed([*extra, *found.queries])}
        listed = [queries[text] for text in dict.fromkeys(query.text for query in (*extra, *found.queries))]
        saved = self._context.store.judgements.save(
            self._context.user_id, query_set, list(found.judgements.values()), listed
        )
        return ImportReport(
            query_set,
            len(listed),
            len(saved),
            unknown_scenes=tuple(dict.fromkeys(found.unknown)),
            duplicates=found.duplicates,
        )

    def _scenes(self, view: View, row: TableRow) -> list[Scene]:
        """The scenes that a row is about."""
        if row.interval is None:
            scene = self._scene(view, row.scene_id)
            return [] if scene is None else [scene]
        user_id, name = self._context.user_id, row.video.casefold()
        return [
            scene
            for video in view.visible_videos(user_id)
            if video.video_id == row.video_id or (name and name in (video.filename.casefold(), video.title.casefold()))
            for scene in view.scenes(user_id, video.video_id)
            if overlaps(scene.interval, row.interval)
        ]

    def _scene(self, view: View, scene_id: str) -> Scene | None:
        try:
            return view.scene(self._context.user_id, scene_id)
        except SceneNotFound:
            return None

    def _view(self) -> View:
        return self._context.store.reader().view()

    # --- writing ----------------------------------------------------------------------------------

    def export_trec(self, folder: Path, judged: JudgedSet, runs: Sequence[EvaluationRun]) -> list[Path]:
        """Write qrels.txt, topics.txt and a file for each run into a folder, which is created.

        Raises DiskFull, NotWritable.
        """
        texts = {
            folder / "qrels.txt": trec.qrels_text(judged.qrels),
            folder / "topics.txt": trec.topics_text(judged.queries),
        }
        for run in runs:
            name = _UNSAFE.sub("_", run.name).strip("._") or run.run_id
            path = folder / f"{name}.run"
            texts[folder / f"{name}-{run.run_id[:8]}.run" if path in texts else path] = trec.run_text(
                run.name, run.rankings
            )
        try:
            with disk_errors("the judgements", folder):
                make_folder(folder, levels=2)
            for path, text in texts.items():
                with atomic_write(path) as file:
                    file.write(text.encode())
        except OSError as error:  # a name that is too long, or of a file
            raise NotWritable(path=str(folder), reason=error.strerror or str(error)) from error
        return list(texts)

    def export_table(self, path: Path, queries: Sequence[SetQuery], judgements: Sequence[SceneJudgement]) -> Path:
        """Write judgements as CSV or Parquet; queries without any have a row without a grade."""
        files = {video.video_id: video.filename for video in self._view().visible_videos(self._context.user_id)}
        about = {query.text: query for query in queries}
        rows = [
            {
                **_query_columns(about.get(one.query, SetQuery(one.query))),
                "scene_id": one.scene_id or f"{one.video_id}_{one.start_ms}_{one.end_ms}",
                "video_id": one.video_id,
                "video": files.get(one.video_id, ""),
                "start_s": one.start_ms / 1000,
                "end_s": one.end_ms / 1000,
                "grade": one.grade,
                "judge": one.judge,
                "judged_at": one.judged_at.isoformat(),
                "reason": one.reason,
            }
            for one in judgements
        ]
        rows += [_query_columns(query) for query in queries if query.text not in {one.query for one in judgements}]
        write_table_rows(path, rows)
        return path


def _query_columns(query: SetQuery) -> dict[str, object]:
    return {
        "query_id": query.query_id,
        "query": query.text,
        "language": query.language,
        "kind": query.kind,
    }


def _judgement(row: TableRow, scene: Scene, judge: str) -> NewJudgement:
    return NewJudgement(
        query=row.query.text,
        video_id=scene.video_id,
        start_ms=round(scene.start_s * 1000),
        end_ms=round(scene.end_s * 1000),
        grade=row.grade or 0,
        judge=judge,
        reason=row.reason,
        judged_at=row.judged_at,
    )
