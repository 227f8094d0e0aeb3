"""Parts of stages that read foreign bytes, run in a child process that may die (media/child.py).

`in_child` marks such a function. In the child it gets a context with the same values and the same work folder, but
neither models nor the stage cache; earlier results are read from the work folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any, cast

from heimdex_core.errors import StageFailed
from heimdex_core.ingest.context import IngestModels, StageContext, StageOutput
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.work_folder import WorkFolder
from heimdex_core.media.child import run_in_child
from heimdex_core.media.child_server import find
from heimdex_core.media.child_server_process import preload
from heimdex_core.types import Json, WorkContext, to_json

Part = Callable[[StageContext, WorkContext], StageOutput]

preload("cv2", "scenedetect.detectors", "heimdex_core.ingest.stages")


def in_child(part: Part) -> Part:
    """The function, run in a child process; where the context has no limits for one, in this process.

    Raises what the function raises, and DecoderFailed where the child had to be given up.
    """
    target = f"{part.__module__}:{part.__qualname__}"

    @wraps(part)
    def run(context: StageContext, work: WorkContext) -> StageOutput:
        if context.child_limits is None:
            return part(context, work)
        made = run_in_child(
            f"{__name__}:run_part",
            {"part": target, "context": _to_json(context)},
            filename=context.filename,
            limits=context.child_limits,
            context=work,
            scratch=context.work.path,
        )
        return StageOutput(made["result"], tuple(made["files"]))

    return run


def run_part(asked: Json, work: WorkContext) -> Json:
    """In the child: run the function that is named, with the context it was called with."""
    part: Part = find(asked["part"])
    made: Json = to_json(part(_from_json(asked["context"]), work))
    return made


# --- the context as JSON --------------------------------------------------------------------------

_LEFT_BEHIND = ("models", "commit", "cache", "edits", "child_limits")
"""What a child has no use for, or must not have."""


def _to_json(context: StageContext) -> Json:
    def value(found: Any) -> Any:
        if isinstance(found, WorkFolder):
            return {"work": str(found.path.absolute())}
        if isinstance(found, Path):
            return {"path": str(found.absolute())}
        return {"value": to_json(found)}

    names = [one.name for one in fields(context) if one.name not in _LEFT_BEHIND]
    return {name: value(getattr(context, name)) for name in names}


def _from_json(data: Json) -> StageContext:
    kinds: dict[str, Callable[[Any], Any]] = {"work": lambda path: WorkFolder(Path(path)), "path": Path}
    values = {name: kinds.get(kind, _same)(value) for name, found in data.items() for kind, value in found.items()}
    values["params"] = IngestParams(**values["params"])
    return StageContext(**values, models=cast(IngestModels, None), commit=_no_commit)


def _same(value: Any) -> Any:
    return value


def _no_commit(result: Any) -> int:
    raise StageFailed(stage="commit", reason="nothing is stored from a child process")
