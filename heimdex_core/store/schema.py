"""The catalog's tables, as versioned migrations. A migration and its version number are one transaction.

There are no keys or constraints on purpose: DuckDB checks them too eagerly inside a transaction (an update is a
delete and an insert), so the functions that write the tables keep the rules, under the catalog's lock. Times are
BIGINT microseconds since 1970 UTC; JSON values are text.
"""

from __future__ import annotations

from heimdex_core.errors import LibraryVersion
from heimdex_core.store.transaction import Transaction

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "create table users (user_id varchar, name varchar, created_us bigint)",
        """create table videos (
            video_id varchar, user_id varchar, sha256 varchar, title varchar, filename varchar,
            description varchar, state varchar, state_before varchar, created_us bigint, updated_us bigint,
            generation integer, info varchar, scene_count integer, transcript_source varchar,
            transcript_rough boolean, language varchar, notes varchar, error varchar, job_id varchar,
            has_preview boolean)""",
        """create table exports (
            export_id varchar, user_id varchar, kind varchar, title varchar, state varchar, clips varchar,
            params varchar, error varchar, path varchar, size_bytes bigint, measured_duration_s double,
            width integer, height integer, created_us bigint, completed_us bigint, expires_us bigint,
            job_id varchar)""",
        "create table reels (reel_id varchar, user_id varchar, title varchar, clips varchar, updated_us bigint)",
        "create table preferences (user_id varchar, key varchar, value varchar)",
        """create table judgements (
            judgement_id varchar, user_id varchar, query varchar, video_id varchar, start_ms bigint,
            end_ms bigint, grade integer, created_us bigint)""",
        "create table counters (name varchar, value bigint)",
        "insert into counters values ('visible_revision', 0)",
    ),
    (
        "create table model_sets (set_id integer, profile varchar, choice varchar, spaces varchar, created_us bigint)",
        """create table video_generations (
            video_id varchar, set_id integer, generation integer, inputs varchar, facts varchar)""",
        # The first set itself is taken from library.json when the library is opened.
        """insert into video_generations
            select video_id, 1, generation, null, null from videos where generation is not null""",
        "insert into counters values ('active_set', 1), ('before_active_set', 0), ('last_set', 1)",
        "alter table videos add column params varchar",
    ),
)

CATALOG_VERSION = len(MIGRATIONS)


def migrate(transaction: Transaction) -> int:
    """Bring the catalog to CATALOG_VERSION inside the caller's transaction; returns the version that it had.

    Raises LibraryVersion for a catalog of newer software.
    """
    transaction.run("create table if not exists schema_version (version integer)")
    found = int(transaction.rows("select max(version) as version from schema_version")[0]["version"] or 0)
    if found > CATALOG_VERSION:
        raise LibraryVersion(found=f"catalog {found}", supported=f"catalog {CATALOG_VERSION}")
    for number, statements in enumerate(MIGRATIONS[found:], start=found + 1):
        for statement in statements:
            transaction.run(statement)
        transaction.run("insert into schema_version values (?)", [number])
    return found
