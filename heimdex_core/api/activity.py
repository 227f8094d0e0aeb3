"""/activity: what goes on in the library, for its admins."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from heimdex_core.api.access import Administering
from heimdex_core.library.activity_table import csv_text
from heimdex_core.schemas import shapes

router = APIRouter(tags=["activity"])


@router.get("/activity")
def get_activity(library: Administering) -> shapes.Activity:
    """The figures of all users: videos, failures, processing times, searches, disk, queues and workers."""
    return shapes.Activity.of(library.activity.report())


@router.get("/activity.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def get_activity_table(library: Administering) -> Response:
    """The same as a table with a row for each figure."""
    return Response(csv_text(library.activity.report()), media_type="text/csv", headers={"Cache-Control": "no-store"})
