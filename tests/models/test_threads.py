from __future__ import annotations

import pytest

from heimdex_core.errors import InvalidValue
from heimdex_core.models.threads import cores_within, threads_for, usable_cores, use_torch_threads


@pytest.mark.parametrize(
    ("cores", "query", "speech", "vision"), [(1, 1, 1, 1), (2, 1, 1, 1), (3, 1, 1, 2), (8, 4, 4, 4), (32, 4, 16, 16)]
)
def test_shares_of_the_cores(cores: int, query: int, speech: int, vision: int) -> None:
    assert threads_for("query", cores=cores) == query
    assert threads_for("speech", cores=cores) == speech
    assert threads_for("vision", cores=cores) == vision
    assert speech + vision <= max(cores, 2), "both run at once"


def test_a_given_number_is_used() -> None:
    assert threads_for("speech", asked=7, cores=2) == 7


def test_another_kind_of_work_is_refused() -> None:
    with pytest.raises(InvalidValue):
        threads_for("faces", cores=4)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", 8), ("200000 100000\n", 2), ("50000 100000", 1), ("1600000 100000", 8), ("", 8), ("100000 0", 8)],
)
def test_a_containers_quota(text: str, cores: int) -> None:
    assert cores_within(8, text) == cores


def test_there_is_at_least_one_core() -> None:
    assert usable_cores() >= 1


def test_torch_uses_the_threads() -> None:
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        use_torch_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
