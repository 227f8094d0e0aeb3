"""Query sets and judgements of one person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from typing import Any

from heimdex_core.errors import InvalidValue, NoJudgements, printable
from heimdex_core.evaluation import agreement as agreements
from heimdex_core.library.arguments import After, Count, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.judged_sets import SAMPLE_SET, JudgedSets
from heimdex_core.store.judgements import NewJudgement
from heimdex_core.types import (
    DEFAULT_QUERY_SET,
    MAX_GRADE,
    Agreement,
    QuerySet,
    SceneJudgement,
    SetQuery,
    parse_scene_id,
    tidy_query,
)

MAX_NAME_CHARS = 100


class Judging:
    """Part of Evaluation."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._judgements = context.store.judgements
        self._sets = JudgedSets(context)

    def query_sets(self) -> list[QuerySet]:
        """The query sets by name, without the sample's."""
        return self._judgements.query_sets(self._context.user_id)

    @checked
    def query_set(self, name: str) -> QuerySet:
        """One query set. Raises UnknownName."""
        if name == SAMPLE_SET and name not in self._sets.names():
            return QuerySet(name, self._sets.load(name).queries)
        return self._sets.query_set(name)

    def own_query_set(self) -> str:
        """The name of the set that is used where none is named, if the library has one of its own.

        Raises NoJudgements.
        """
        judged = self._sets.load(None)
        if judged.name not in self._sets.names():
            raise NoJudgements(query_set=DEFAULT_QUERY_SET, queries=0)
        return judged.name

    @checked
    def save_query_set(
        self, name: str, queries: Sequence[Any] | None = None, *, guidelines: str | None = None
    ) -> QuerySet:
        """Create or change a query set.

        Args:
            name: 1 to 100 characters.
            queries: texts, or SetQuery; None leaves them as they are. Judgements of queries that are left out stay.
            guidelines: what each grade means, for the judges; None leaves them as they are.

        Raises InvalidValue.
        """
        name = own_set_name(name)
        listed = None if queries is None else _listed(queries, self._context.settings.max_query_chars)
        self._judgements.save_query_set(self._context.user_id, name, listed, guidelines)
        return self._sets.query_set(name)

    @checked
    def rename_query_set(self, name: str, new: str) -> QuerySet:
        """Give a query set another name; judgements, runs and sweeps stay with it. Raises UnknownName, InvalidValue."""
        self._sets.query_set(name)
        new = own_set_name(new)
        store, user_id = self._context.store, self._context.user_id
        if new != name:
            self._judgements.rename_query_set(user_id, name, new)
            store.runs.rename_query_set(user_id, name, new)
            store.sweeps.rename_query_set(user_id, name, new)
        return self._sets.query_set(new)

    @checked
    def delete_query_set(self, name: str) -> None:
        """Remove a query set and its judgements. Raises UnknownName."""
        self._sets.query_set(name)
        self._judgements.delete_query_set(self._context.user_id, name)

    @checked
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
        """Keep a judgement; see Library.judge."""
        text = checked_text(text, self._context.settings.max_query_chars)
        name = own_set_name(query_set)
        who = self._context.user_id if judge is None else checked_name("judge", judge)
        if grade not in range(MAX_GRADE + 1):
            raise InvalidValue(name="grade", value=grade, reason="it must be 0, 1, 2 or 3")
        scene = self._context.store.reader().view().scene(self._context.user_id, scene_id)
        video_id, start_ms, end_ms = parse_scene_id(scene.scene_id)
        new = NewJudgement(text, video_id, start_ms, end_ms, int(grade), who, tidy_query(reason))
        return self._sets.located(self._judgements.save(self._context.user_id, name, [new]))[0]

    @checked
    def judgements(
        self,
        query_set: str | None = None,
        *,
        query: str | None = None,
        judge: str | None = None,
        limit: Count | None = None,
        after: After | None = None,
    ) -> list[SceneJudgement]:
        """Judgements in the order in which they were made, those of one set, query or judge, or all.

        `after` is (judged_at, judgement_id) of the one that the next page comes behind.
        """
        text = None if query is None else tidy_query(query)
        return self._sets.judgements(query_set, query=text, judge=judge, limit=limit, after=after)

    @checked
    def grades(self, text: str, *, query_set: str = DEFAULT_QUERY_SET, judge: str | None = None) -> dict[str, int]:
        """What a judge (None: the person) has said about a query: {scene_id: grade}. Does not wait for a writer."""
        who = judge or self._context.user_id
        found = self._judgements.published(self._context.user_id, query_set, tidy_query(text), who)
        return {one.scene_id: one.grade for one in self._sets.located(found) if one.scene_id is not None}

    @checked
    def forget(self, judgement_id: str) -> None:
        """Take a judgement back; nothing happens if there is none of this id."""
        self._judgements.forget(self._context.user_id, judgement_id)

    @checked
    def agreement(self, query_set: str = DEFAULT_QUERY_SET) -> Agreement:
        """How far the judges of a set agree: Cohen's kappa of each pair, Fleiss' kappa of all."""
        return agreements.agreement(self.judgements(query_set))


def checked_name(what: str, name: str) -> str:
    name = tidy_query(name)
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        reason = f"1 to {MAX_NAME_CHARS} printable characters are needed"
        raise InvalidValue(name=f"name of the {what}", value=name[:80], reason=reason)
    return name


def numbered(kind: str, taken: Collection[str]) -> str:
    """A name such as "run 3" that is not taken yet."""
    return next(name for number in count(len(taken) + 1) if (name := f"{kind} {number}") not in taken)


def own_set_name(name: str) -> str:
    """The name of a query set that can be changed. Raises InvalidValue."""
    name = checked_name("query set", name)
    if name == SAMPLE_SET:
        raise InvalidValue(name="query set", value=name, reason="it comes with the software; choose another name")
    return name


def checked_text(text: str, limit: int) -> str:
    text = tidy_query(text)
    if not 1 <= len(text) <= limit:
        raise InvalidValue(name="query", value=text[:80], reason=f"1 to {limit} characters are needed")
    return text


def _listed(queries: Sequence[Any], limit: int) -> list[SetQuery]:
    """Queries without repetition, each with a text and an id of its own."""
    found: dict[str, SetQuery] = {}
    for one in queries:
        query = SetQuery(one) if isinstance(one, str) else one
        if not isinstance(query, SetQuery):
            raise InvalidValue(name="query", value=repr(one)[:80], reason="a text or a SetQuery is needed")
        for value in (query.text, query.query_id, query.language, query.kind):
            if value != printable(value):
                raise InvalidValue(name="query", value=value[:80], reason="it is not Unicode text")
        text = checked_text(query.text, limit)
        found.setdefault(text, SetQuery(text, query.query_id.strip(), query.language, query.kind))
    ids = [query.query_id for query in found.values()]
    for one in ids:
        if any(character.isspace() for character in one) or ids.count(one) > 1:
            raise InvalidValue(name="query_id", value=one, reason="it must have no spaces, and be there once")
    return list(found.values())
