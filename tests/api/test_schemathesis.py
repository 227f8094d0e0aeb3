"""Whatever the description of the API allows, and much that it does not, is answered without a fault of the program."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from tests.api.conftest import SCENE, Api, make_api
from tests.support.frozen import SUBTITLED

REAL = {"video_id": SUBTITLED, "scene_id": SCENE}
"""Put where an id is made up, every second time: else nothing but "not found" would be answered."""


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Any:
    api = make_api(tmp_path_factory.mktemp("schemathesis") / "library")
    api.services.stream_s = 0.0  # streams end at once
    yield schemathesis.openapi.from_asgi("/api/v1/openapi.json", api.app), api
    api.library.close()


def with_real_ids(values: Any) -> Any:
    """The values, with ids of things that exist in place of some that were made up."""
    if not isinstance(values, dict):
        return values
    changed = {name: with_real_ids(value) for name, value in values.items()}
    for name, real in REAL.items():
        if isinstance(changed.get(name), str) and len(changed[name]) % 2:
            changed[name] = real
    return changed


def check(case: Any, api: Api) -> None:
    if case.path_parameters:
        case.path_parameters = with_real_ids(case.path_parameters)
    if isinstance(case.body, dict):
        case.body = with_real_ids(case.body)
    # a run searches for all queries of the sample: nothing is a fault because a busy machine took its time
    answer = case.call(headers={"Authorization": f"Bearer {api.tokens['owner']}"}, timeout=600)
    assert answer.status_code < 500, (case.as_curl_command(), answer.text)
    if answer.status_code >= 400:
        described = answer.headers["content-type"] == ["application/problem+json"]
        assert described, (case.as_curl_command(), answer.status_code, answer.text)
        assert answer.json()["code"] != "INTERNAL"


def examples(count: int) -> Any:
    return settings(
        max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )


def ask_everything(described: Any, count: int) -> int:
    """Send so many requests to each operation, as it is described and otherwise; how many operations there are."""
    schema, api = described
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        modes = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

        @examples(count)
        @given(case=st.one_of(modes))
        def ask(case: Any) -> None:
            check(case, api)

        ask()
    return len(operations)


def test_no_request_is_a_fault_of_the_program(described: Any) -> None:
    assert ask_everything(described, 2) > 40


@pytest.mark.long
def test_no_request_is_a_fault_of_the_program_thoroughly(described: Any) -> None:
    assert ask_everything(described, 15) > 40
