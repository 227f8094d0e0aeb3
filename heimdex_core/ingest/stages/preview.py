"""Stage `preview`: a copy that browsers can play, where they cannot play the source."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from heimdex_core.errors import Cancelled, DiskFull, HeimdexError
from heimdex_core.ingest.child_stage import in_child
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import picture, probe
from heimdex_core.media.preview import PreviewPlan, make_preview, preview_plan
from heimdex_core.types import WorkContext, to_json

_log = logging.getLogger(__name__)

FILE = "preview.mp4"


@dataclass(frozen=True)
class Preview:
    """How the preview was made ("none" where the source plays as it is, "failed") and its file in the work folder."""

    plan: str
    file: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        return ("preview_failed",) if self.plan == "failed" else ()


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """Make the preview if one is needed; browsers stop at a damaged picture.

    A video whose preview cannot be made is found all the same, and its notes say so.
    """
    context.work.file(FILE).unlink(missing_ok=True)  # it may be a second name of the one that is being played
    if _plan(context) == "none":
        return StageOutput(to_json(Preview("none")))
    try:
        return _make(context, work)
    except (Cancelled, DiskFull):
        raise
    except Exception as error:
        _log.warning("%s has no preview: %s", context.filename, error, exc_info=not isinstance(error, HeimdexError))
        context.work.file(FILE).unlink(missing_ok=True)
        return StageOutput(to_json(Preview("failed")))


def _plan(context: StageContext) -> PreviewPlan:
    found = context.result(picture.SPEC)
    return preview_plan(
        context.result(probe.SPEC), damaged=found.damaged_count > 0, changes_size="size" in found.changes
    )


@in_child
def _make(context: StageContext, work: WorkContext) -> StageOutput:
    info, plan, height_px = context.result(probe.SPEC), _plan(context), context.params.preview_height_px
    make_preview(context.source, info, context.work.file(FILE), plan, height_px=height_px, context=work)
    return StageOutput(to_json(Preview(plan, FILE)), (FILE,))


SPEC = StageSpec(
    name="preview",
    version=2,
    branch="picture",
    run=run,
    parse=lambda data: Preview(**data),
    keeps=lambda found: found.plan != "failed",
    label={"en": "Making the preview", "ko": "미리보기 만들기"},
    needs=(probe.SPEC, picture.SPEC),
    params=("preview_height_px",),
    weight=6.0,
)
