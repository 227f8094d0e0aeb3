"""What the shapes have in common, and errors."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from heimdex_core.types import Json

Moment = Annotated[
    datetime,
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""UTC."""


class Shape(BaseModel):
    """Base class; fields that a newer server adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self, exclude: Any = None) -> Json:
        """Plain JSON values."""
        return self.model_dump(mode="json", exclude=exclude)


class Error(Shape):
    """What went wrong, in words."""

    code: str
    category: str | None
    message: str | None
    hint: str | None

    @classmethod
    def of(cls, found: Json | None) -> Error | None:
        """From HeimdexError.to_dict(); None where there is no error."""
        if not found:
            return None
        return cls(**{name: found.get(name) for name in ("category", "message", "hint")}, code=str(found.get("code")))
