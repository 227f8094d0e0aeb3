"""Which rows of scenes.parquet and words.parquet can be used, and what is wrong with the others.

The files may come from another library or be damaged, so each row is looked at before anything reads it: a time that is
infinite, a name that leaves its folder or text that is not Unicode would break searches, SQL and reels much later.
Readers leave such rows out and say so; a folder that has any is not adopted. The rules look at whole columns, which
takes some milliseconds, for one file as for many together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_TEXT_CHARS = 1_000_000
"""Of one text: a scene may be a whole lecture."""
MAX_LIST_ITEMS = 1_000
MAX_SECONDS = 10_000_000.0
"""Almost four months; times beyond are refused."""
MAX_MOMENT_US = 253_402_300_799_000_000
"""The end of the year 9999, after which Python has no dates."""

FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$"
"""Pictures in frames/; a name with a folder would leave it."""
LANGUAGE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"

Mask: TypeAlias = pa.ChunkedArray


def scalar(value: bool | float | str, kind: pa.DataType) -> pa.Scalar:
    """As `pa.scalar`, which would import pandas: a search in a fresh process would take .3 s longer."""
    if isinstance(value, str):
        data = value.encode()
        buffers = [pa.py_buffer(np.array([0, len(data)], np.int32)), pa.py_buffer(data)]
    elif isinstance(value, bool):
        buffers = [pa.py_buffer(bytes([value]))]
    else:
        buffers = [pa.py_buffer(np.array([value], str(kind).replace("double", "float64")))]
    return pa.Array.from_buffers(kind, 1, [None, *buffers])[0]


_TRUE, _FALSE = scalar(True, pa.bool_()), scalar(False, pa.bool_())


@dataclass(frozen=True)
class Rule:
    """What holds for every row that can be used; `fault` says it of a row for which it does not hold."""

    fault: str
    holds: Callable[[pa.Table], Mask]
    """Returns one boolean a row; null counts as false."""


def usable(table: pa.Table, rules: Sequence[Rule]) -> tuple[pa.Table, list[str]]:
    """The rows for which all rules hold, and what is wrong with the others: "2 rows: ...".

    Text that is not UTF-8 is looked for first, since nothing can be done with it.
    """
    problems: list[str] = []
    keep = _is_readable(table)
    if keep is not None:
        table = _chosen(table, keep, "text that is not Unicode", problems)
    for rule in rules:
        if not table.num_rows:
            break
        mask = pc.fill_null(rule.holds(table), _FALSE)
        if not pc.all(mask).as_py():
            table = _chosen(table, mask, rule.fault, problems)
    return table, problems


def _chosen(table: pa.Table, mask: Mask, fault: str, problems: list[str]) -> pa.Table:
    kept = table.filter(mask)
    if left_out := table.num_rows - kept.num_rows:
        problems.append(f"{left_out} {'row' if left_out == 1 else 'rows'}: {fault}")
    return kept


def _is_readable(table: pa.Table) -> Mask | None:
    """Which rows are valid Arrow, text included; None if all are."""
    try:
        table.validate(full=True)
        return None
    except pa.ArrowException:
        pass

    def is_valid(row: int) -> bool:
        try:
            # Taken out by value: a slice would be validated with everything around it.
            table.slice(row, 1).combine_chunks().validate(full=True)
        except pa.ArrowException:
            return False
        return True

    return pa.chunked_array([pa.array([is_valid(row) for row in range(table.num_rows)], pa.bool_())])


# --- rules ----------------------------------------------------------------------------------------


def _both(*masks: Mask) -> Mask:
    return reduce(pc.and_, masks)


def _is_given(*names: str) -> Callable[[pa.Table], Mask]:
    return lambda table: _both(*(pc.is_valid(table.column(name)) for name in names))


def _is_time(column: Mask) -> Mask:
    """From 0; NaN fails every comparison."""
    return _both(
        pc.greater_equal(column, scalar(0.0, pa.float64())), pc.less_equal(column, scalar(MAX_SECONDS, pa.float64()))
    )


def _is_interval(start: str, end: str, *, may_be_empty: bool) -> Callable[[pa.Table], Mask]:
    compare = pc.less_equal if may_be_empty else pc.less
    return lambda table: _both(
        _is_time(table.column(start)), _is_time(table.column(end)), compare(table.column(start), table.column(end))
    )


def _is_finite_or_null(*names: str) -> Callable[[pa.Table], Mask]:
    return lambda table: _both(
        *(
            pc.or_(pc.is_null(table.column(name)), pc.fill_null(pc.is_finite(table.column(name)), _FALSE))
            for name in names
        )
    )


def _is_short(*names: str) -> Callable[[pa.Table], Mask]:
    limit = scalar(MAX_TEXT_CHARS, pa.int32())
    return lambda table: _both(
        *(pc.fill_null(pc.less_equal(pc.utf8_length(table.column(name)), limit), _TRUE) for name in names)
    )


def _matches_or_null(name: str, pattern: str) -> Callable[[pa.Table], Mask]:
    return lambda table: pc.fill_null(pc.match_substring_regex(table.column(name), pattern), _TRUE)


def _has_good_items(name: str, is_good: Callable[[pa.Array], pa.Array]) -> Callable[[pa.Table], Mask]:
    """Whether a list is short enough and all its items are good; a null list is an empty one."""

    def holds(table: pa.Table) -> Mask:
        lists = table.column(name).combine_chunks()
        lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
        short = pc.fill_null(pc.less_equal(pc.list_value_length(lists), scalar(MAX_LIST_ITEMS, pa.int32())), _TRUE)
        good = pc.fill_null(is_good(pc.list_flatten(lists)), _FALSE)
        parents = pc.filter(pc.list_parent_indices(lists), pc.invert(good))
        numbers = pa.Array.from_buffers(
            pa.int64(), len(lists), [None, pa.py_buffer(np.arange(len(lists), dtype=np.int64))]
        )
        bad = pc.is_in(numbers, value_set=parents)
        return pa.chunked_array([pc.and_(short, pc.invert(bad))])

    return holds


def _is_good_keyframe(items: pa.Array) -> pa.Array:
    numbers = [pc.is_finite(pc.struct_field(items, name)) for name in ("time_s", "brightness", "sharpness", "score")]
    return _both(pc.match_substring_regex(pc.struct_field(items, "file"), FILE_NAME), *numbers)


def _has_its_id(table: pa.Table) -> Mask:
    """Whether scene_id is make_scene_id of the row: it is looked up by its parts."""
    milliseconds = (
        pc.cast(
            pc.cast(pc.round(pc.multiply(table.column(name), scalar(1000.0, pa.float64()))), pa.int64()), pa.string()
        )
        for name in ("start_s", "end_s")
    )
    wanted = pc.binary_join_element_wise(table.column("video_id"), *milliseconds, scalar("_", pa.string()))
    return pc.equal(table.column("scene_id"), wanted)


def _is_moment_or_null(table: pa.Table) -> Mask:
    moments = pc.cast(table.column("created_at"), pa.int64())
    inside = _both(
        pc.greater_equal(moments, scalar(0, pa.int64())), pc.less_equal(moments, scalar(MAX_MOMENT_US, pa.int64()))
    )
    return pc.fill_null(inside, _TRUE)


SCENE_RULES: tuple[Rule, ...] = (
    Rule("a value is missing", _is_given("scene_id", "video_id", "index", "start_s", "end_s", "transcript")),
    Rule("the times are not 0 <= start < end", _is_interval("start_s", "end_s", may_be_empty=False)),
    Rule("the id is not that of the video and the times", _has_its_id),
    Rule("a number is not finite", _is_finite_or_null("speech_ratio", "motion", "brightness")),
    Rule("a text is too long", _is_short("transcript", "on_screen_text", "caption")),
    Rule("the language is no language code", _matches_or_null("language", LANGUAGE)),
    Rule("the thumbnail is no file name", _matches_or_null("thumbnail", FILE_NAME)),
    Rule("a keyframe is no file name or has no times", _has_good_items("keyframes", _is_good_keyframe)),
    Rule("a tag is missing", _has_good_items("tags", pc.is_valid)),
    Rule("a colour is missing", _has_good_items("dominant_colours", pc.is_valid)),
    Rule("it was made at an impossible time", _is_moment_or_null),
)

WORD_RULES: tuple[Rule, ...] = (
    Rule("a value is missing", _is_given("segment", "is_word", "text", "segment_text")),
    Rule("the times are not 0 <= start <= end", _is_interval("start_s", "end_s", may_be_empty=True)),
    Rule(
        "the times of the line are not 0 <= start <= end",
        _is_interval("segment_start_s", "segment_end_s", may_be_empty=True),
    ),
    Rule("a number is not finite", _is_finite_or_null("confidence", "segment_confidence", "segment_no_speech")),
    Rule("a text is too long", _is_short("text", "segment_text")),
)
