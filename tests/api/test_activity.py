"""GET /activity: the figures of all users, for admins."""

from __future__ import annotations

import csv
import io

from tests.api.conftest import Api


def test_an_admin_gets_the_figures(api: Api) -> None:
    answer = api.get("/activity")
    assert answer.status_code == 200
    found = answer.json()
    assert found["videos"]["indexed"] == 2
    assert [period["days"] for period in found["searches"]] == [7, 30]
    assert found["disk"][0]["source_bytes"] > 0
    assert (found["queues"], found["jobs_error"]) == ([], None)


def test_and_the_table(api: Api) -> None:
    answer = api.get("/activity.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert ["videos", "indexed", "videos", "2"] in list(csv.reader(io.StringIO(answer.text)))


def test_others_do_not(api: Api) -> None:
    for path in ("/activity", "/activity.csv"):
        assert api.get(path, who=None).status_code == 401
        api.user("reader", "read")
        assert api.get(path, who="reader").status_code == 403
        # a member whose token claims to be an admin's
        assert api.get(path, who="owner").status_code == 403, "the library is shared now, and nobody is its admin"
