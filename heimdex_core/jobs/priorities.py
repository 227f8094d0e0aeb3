"""Which job of a queue comes first: what a person waits for before what is done in bulk, and users in turn.

DBOS takes the job with the lowest number first, and of equal numbers the oldest. The number of a new job is that of a
fair queue (start-time fair queueing, Goyal, Vin and Cheng 1996, with jobs of equal length): one more than that of the
user's last job, but no less than where the queue stands. So the thousand videos of one user have the numbers 1 to 1000,
and the one video that another adds meanwhile is the next but one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbos import DBOSClient

AWAITED, BULK = 1, 1 << 30
"""The lowest numbers of what a person waits for and of what is done in bulk; DBOS allows up to 2^31 - 1."""
_LOOK_AT = 20


def next_priority(client: DBOSClient, queue: str, user_id: str | None, *, is_awaited: bool) -> int:
    """The number of a new job; without a user it is that of a user who has no other job."""
    first = AWAITED if is_awaited else BULK
    mine = [] if user_id is None else _numbers(client, queue, user_id, ["ENQUEUED", "PENDING"], first, newest=True)
    waiting = _numbers(client, queue, None, ["ENQUEUED"], first, newest=False)
    return max([first, *waiting[:1], *(number + 1 for number in mine)])


def _numbers(
    client: DBOSClient, queue: str, user_id: str | None, states: list[str], first: int, *, newest: bool
) -> list[int]:
    """The numbers of jobs of one class, in the order in which they came or the other way round."""
    found = client.list_workflows(
        status=states,
        queue_name=queue,
        user=user_id,
        sort_desc=newest,
        limit=_LOOK_AT,
        load_input=False,
        load_output=False,
    )
    numbers = [one.priority or 0 for one in found]
    return [number for number in numbers if (number < BULK) == (first < BULK)]
