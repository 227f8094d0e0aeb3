"""SQL for Postgres: how statements are translated, and what versions before 16 demand of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import heimdex_core
from heimdex_core.store.postgres_sql import translate

SUBQUERY = re.compile(r"\b(?:from|join)\s*\(\s*select\b", re.IGNORECASE)
NAME = re.compile(r"\)\s*(?:as\s+)?(?!(?:where|group|order|returning|limit|on|join)\b)[a-z_]+", re.IGNORECASE)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("select ? where a = ?", "select %s where a = %s"),
        ("select '?', 'it''s ?', \"?\" -- ?\n, ?", "select '?', 'it''s ?', \"?\" -- ?\n, %s"),
        ("select 5 % 2, a like '%?'", "select 5 %% 2, a like '%%?'"),
        ("create table t (a varchar, b double)", 'create table t (a text collate "C", b double precision)'),
        ("alter table t add column varchars varchar", 'alter table t add column varchars text collate "C"'),
        ("select a from t where b = 'varchar'", "select a from t where b = 'varchar'"),
    ],
)
def test_statements_are_translated(sql: str, wanted: str) -> None:
    assert translate(sql).decode() == wanted


@pytest.mark.parametrize(
    ("sql", "is_named"),
    [
        ("select a from (select (1) as a) as b", True),
        ("select a from (select 1 as a) b where a > 0", True),
        ("update t set a = 2 from (select 1 as a) returning a", False),
        ("select a from (select 1 as a)", False),
    ],
)
def test_what_a_name_of_a_subquery_is(sql: str, is_named: bool) -> None:
    assert (unnamed(sql) == []) is is_named


def test_subqueries_have_names() -> None:
    """The server of the tests is newer and does not ask for them; 14 and 15 refuse a statement without."""
    folder = Path(heimdex_core.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
    assert sum(len(SUBQUERY.findall(source)) for source in sources.values()) > 1
    assert {path.name: found for path, source in sources.items() if (found := unnamed(source))} == {}


def unnamed(source: str) -> list[str]:
    """The subqueries in a from clause that have no name."""
    return [
        source[match.start() : end]
        for match in SUBQUERY.finditer(source)
        if not NAME.match(source, end := closing(source, match.start()))
    ]


def closing(source: str, start: int) -> int:
    """The position of the bracket that closes the first one from `start` on."""
    depth = 0
    for at in range(source.index("(", start), len(source)):
        depth += {"(": 1, ")": -1}.get(source[at], 0)
        if depth == 0:
            return at
    raise AssertionError("a bracket is not closed")
