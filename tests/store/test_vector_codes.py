"""Some rows of an index are compared as FAISS compares them where all are searched."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from heimdex_core.store import vector_codes, vector_methods
from heimdex_core.store.vector_codes import Found, ListCodes, best_of
from heimdex_core.store.vector_methods import INDEX_TYPES, Exact, Inverted, open_method

ROWS, DIM = 900, 24
RNG = np.random.default_rng(5)
VECTORS = RNG.standard_normal((ROWS, DIM)).astype(np.float32)


def inverted(count: int = ROWS, lists: int = 16) -> Any:
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(DIM), DIM, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.train(VECTORS)
    index.add(VECTORS[:count])
    index.make_direct_map()
    return index


def flat(kind: str) -> Any:
    index = INDEX_TYPES[kind](DIM)
    index.add(VECTORS)
    return index


MADE: dict[str, Callable[[], Any]] = {"IVF": inverted, **{kind: partial(flat, kind) for kind in INDEX_TYPES}}


def opened(made: Any, path: Path) -> Any:
    """The index as a library has it: mapped into memory."""
    faiss.write_index(made, str(path))
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


def best(index: Any, query: Any, count: int, rows: Any) -> Found:
    if isinstance(index, faiss.IndexIVF):
        return ListCodes.of(faiss, index).search(query, count, rows)
    return best_of(faiss, index, query, count, rows)


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_the_best_of_some_rows(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_mapped: bool) -> None:
    monkeypatch.setattr(vector_codes, "BLOCK_ROWS", 64)
    monkeypatch.setattr(vector_codes, "PIECE_ROWS", 24)
    index = opened(MADE[kind](), tmp_path / "index.faiss") if is_mapped else MADE[kind]()
    query = RNG.standard_normal((1, DIM)).astype(np.float32)
    for rows in (np.flatnonzero(RNG.random(ROWS) < 0.3), np.array([ROWS - 1]), np.arange(ROWS), np.arange(64)):
        stored = index.reconstruct_batch(rows)
        for count in (50, 7):
            expected = np.argsort(-(stored @ query[0]), kind="stable")[:count]
            scores, found = best(index, query, count, rows)
            assert found.tolist() == rows[expected].tolist()
            assert scores == pytest.approx((stored @ query[0])[expected], abs=1e-5)
    assert [part.tolist() for part in best(index, query, 50, np.zeros(0, dtype=np.int64))] == [[], []]


@pytest.mark.parametrize("count", [1, 3, 7, 999, 1000, 1009, 2500, 2999])
def test_no_row_is_lost_by_rounding(count: int) -> None:
    """FAISS takes the number of rows to compare as a multiple of how many are wanted, a float of 32 bits."""
    index = faiss.IndexFlatIP(1)
    index.add(np.arange(3000, dtype=np.float32).reshape(-1, 1))
    rows = np.arange(3000)
    _, found = best_of(faiss, index, np.ones((1, 1), np.float32), count, rows)
    assert found.tolist() == rows[::-1][:count].tolist()


@pytest.mark.parametrize("kind", INDEX_TYPES)
@pytest.mark.parametrize("always_tested", [0, ROWS])
def test_a_mask_finds_the_same_whether_all_rows_are_tested_or_each_is_looked_up(
    kind: str, always_tested: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_methods, "ALWAYS_TESTED", always_tested)
    looked_up: list[int] = []

    def counting(faiss: Any, index: Any, query: Any, count: int, rows: Any) -> Found:
        looked_up.append(len(rows))
        return best_of(faiss, index, query, count, rows)

    monkeypatch.setattr(vector_methods, "best_of", counting)
    method = Exact(flat(kind))
    mask = np.zeros(ROWS, dtype=bool)
    mask[::45] = True
    _, found = method.search(VECTORS[90:91], 5, mask)
    expected = np.argsort(-(method.vectors(np.flatnonzero(mask)) @ VECTORS[90]))[:5] * 45
    assert found.tolist() == expected.tolist()
    assert looked_up == ([] if always_tested else [20])


def test_lists_without_rows() -> None:
    _, found = best(inverted(3), VECTORS[1:2], 2, np.array([0, 1, 2]))
    assert found[0] == 1


def test_a_narrow_mask_is_searched_whole(tmp_path: Path) -> None:
    """One cluster is searched without a mask, all rows of a narrow one, in which no cluster is left out."""
    method = Inverted(opened(inverted(), tmp_path / "index.faiss"), nprobe=1, rows_per_result=1)
    mask = np.zeros(ROWS, dtype=bool)
    mask[::30] = True
    query = RNG.standard_normal((1, DIM)).astype(np.float32)
    expected = np.argsort(-(method.vectors(np.flatnonzero(mask)) @ query[0]))[:20] * 30
    assert method.search(query, 20, mask)[1].tolist() == expected.tolist()


def test_of_a_wider_mask_the_rows_of_near_clusters_are_searched(tmp_path: Path) -> None:
    """As many rows are compared as without a mask, and no more clusters than they take."""
    index = opened(inverted(lists=60), tmp_path / "index.faiss")
    method = Inverted(index, nprobe=1, rows_per_result=1)
    mask = np.zeros(ROWS, dtype=bool)
    mask[::16] = True
    query = RNG.standard_normal((1, DIM)).astype(np.float32)
    codes, rows = ListCodes.of(faiss, index), np.flatnonzero(mask)
    of_list = codes.lists_of(rows)
    near: list[int] = []
    for number in index.quantizer.search(query, 60)[1][0]:
        near += rows[of_list == number].tolist() if len(near) < ROWS // 60 else []
    assert method.search(query, 5, mask)[1].tolist() == codes.search(query, 5, np.sort(near))[1].tolist()
    assert len(near) < len(rows)


@pytest.mark.parametrize("kind", MADE)
def test_vectors_come_back_as_they_are_stored(kind: str, tmp_path: Path) -> None:
    made, path = MADE[kind](), tmp_path / "index.faiss"
    faiss.write_index(made, str(path))
    large = {"method": "IVF", "nprobe": 1} if kind == "IVF" else None
    method = open_method(path, {"large": large}, tmp_path / "codes.faiss")
    rows = np.array([5, 0, ROWS - 1, 5])
    expected = VECTORS[rows] if kind == "Flat" else VECTORS[rows].astype(np.float16)
    assert np.array_equal(method.vectors(rows), expected)
    assert method.vectors(np.zeros(0, dtype=np.int64)).shape == (0, DIM)


def test_another_kind_of_index_is_refused(tmp_path: Path) -> None:
    index = faiss.IndexLSH(DIM, 16)
    index.train(VECTORS)
    index.add(VECTORS)
    faiss.write_index(index, str(tmp_path / "index.faiss"))
    with pytest.raises(RuntimeError, match="index of another kind"):
        open_method(tmp_path / "index.faiss", {}, tmp_path / "codes.faiss")
