"""Idempotency-Key: what is sent again is not done again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from heimdex_core.errors import IdempotencyKeyBusy, IdempotencyKeyReused, InvalidValue, JobsUnavailable
from heimdex_core.store.request_records import KEPT_OF_USER, KEPT_S, WORKED_ON_S, KnownRequest
from heimdex_core.types import utc_now
from tests.api.conftest import SCENE, Api


def judge(api: Api, key: str, grade: int = 2, who: str = "owner") -> Any:
    body = {"text": "sea", "scene_id": SCENE, "grade": grade}
    return api.post("/judgements", body, who, headers={"Idempotency-Key": key})


def test_the_first_answer_is_given_again(api: Api) -> None:
    first, again = judge(api, "one"), judge(api, "one")
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    # without a key it is another judgement
    body = {"text": "sea", "scene_id": SCENE, "grade": 2}
    assert api.post("/judgements", body).json()["judgement_id"] != first.json()["judgement_id"]


def test_an_export_is_made_once(api: Api) -> None:
    count = len(api.queue.jobs)
    made = [api.post("/shorts", {"scene_id": SCENE}, headers={"Idempotency-Key": "short"}) for _ in range(3)]
    assert len({one.json()["export_id"] for one in made}) == 1
    assert {one.headers["location"] for one in made} == {f"/api/v1/exports/{made[0].json()['export_id']}"}
    assert len(api.queue.jobs) == count + 1


def test_a_key_is_for_one_request_of_one_user(api: Api) -> None:
    assert judge(api, "two").status_code == 201
    other = judge(api, "two", grade=1)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    api.user("somebody")
    assert (
        judge(api, "two", who="somebody").status_code == 404
    )  # their own request, about a scene that they do not have


def test_a_refusal_is_an_answer_too(api: Api) -> None:
    body = {"text": "sea", "scene_id": "none", "grade": 2}
    first = api.post("/judgements", body, headers={"Idempotency-Key": "three"})
    again = api.post("/judgements", body, headers={"Idempotency-Key": "three"})
    assert (first.status_code, again.headers.get("idempotency-replayed")) == (404, "true")
    assert again.json() == first.json()
    assert judge(api, "x" * 201).json()["code"] == "INVALID_VALUE"
    assert judge(api, "").json()["code"] == "INVALID_VALUE"


def test_what_failed_here_can_be_tried_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **more: Any) -> None:
        raise JobsUnavailable(reason="it is away")

    headers = {"Idempotency-Key": "four"}
    with monkeypatch.context() as patched:
        patched.setattr(api.queue, "enqueue_reel", fail)
        assert api.post("/shorts", {"scene_id": SCENE}, headers=headers).status_code == 503
    assert api.post("/shorts", {"scene_id": SCENE}, headers=headers).status_code == 202


# --- the records ----------------------------------------------------------------------------------


def test_a_request_that_is_worked_on_is_not_begun_twice(api: Api) -> None:
    requests = api.library.requests
    assert requests.begin("a", b"x") is None
    with pytest.raises(IdempotencyKeyBusy):
        requests.begin("a", b"x")
    with pytest.raises(IdempotencyKeyReused):
        requests.begin("a", b"y")
    requests.forget("a")
    assert requests.begin("a", b"x") is None
    requests.finish("a", b"x", 201, "{}", b"body")
    found = requests.begin("a", b"x")
    assert found is not None
    assert (found.status, found.headers, found.body) == (201, "{}", "body")
    requests.forget("a")  # an answer stays
    assert requests.begin("a", b"x") == found
    with pytest.raises(InvalidValue):
        requests.begin("", b"x")


def test_an_answer_that_is_too_long_is_not_kept(api: Api) -> None:
    requests = api.library.requests
    assert requests.begin("long", b"x") is None
    requests.finish("long", b"x", 200, "{}", b"x" * 1_000_001)
    assert requests.begin("long", b"x") is None


def test_answers_are_kept_for_a_day_and_limited_in_number(api: Api) -> None:
    records, now = api.library._store.requests, utc_now()
    later = lambda seconds: now + timedelta(seconds=seconds)  # noqa: E731
    assert records.begin("u", "left", "d", now) is None
    assert records.begin("u", "left", "d", later(WORKED_ON_S)) == KnownRequest("d")
    assert records.begin("u", "left", "d", later(WORKED_ON_S + 1)) is None  # whoever worked on it has ended
    records.finish("u", "left", KnownRequest("d", 200, "{}", ""))
    assert records.begin("u", "left", "d", later(KEPT_S)) == KnownRequest("d", 200, "{}", "")
    assert records.begin("u", "left", "d", later(KEPT_S + WORKED_ON_S + 2)) is None
    with api.library._store.catalog.transaction() as transaction:
        for number in range(KEPT_OF_USER):
            row = {"user_id": "v", "key": str(number), "digest": "d", "status": 200, "begun_us": 10**15 * 4 + number}
            transaction.insert("api_requests", row)
    assert records.begin("v", "new", "d", now) is None
    with api.library._store.catalog.transaction() as transaction:
        rows = transaction.rows("select key from api_requests where user_id = 'v' order by begun_us")
    assert (len(rows), "0" in [row["key"] for row in rows]) == (KEPT_OF_USER, False)
