"""What other programs and other open pages may have changed, read from files that transactions publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heimdex_core.files import file_signature
from heimdex_core.store import trays, users
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.types import Json


@dataclass(frozen=True)
class PublishedState:
    """One moment of what a user's open pages share. Two of them are equal if nothing has changed."""

    tray_revision: int
    reel_revisions: Mapping[str, int]
    """Of the named reels that exist, by reel_id."""
    preferences: Json
    videos: tuple[int, int, int] | None
    """The signature of visible.parquet: another one after any change of what is visible."""
    shares: tuple[int, int, int] | None = None
    """The same of what users share with each other."""


def read_published_state(paths: LibraryPaths, user_id: str) -> PublishedState:
    """What is published now; takes no lock, and reads no more than two small files."""
    found = trays.read_revisions(paths, user_id)
    preferences = users.read_preferences(paths, user_id)
    visible, shares = file_signature(paths.visible), file_signature(paths.shares)
    return PublishedState(found.tray, found.reels, preferences, visible, shares)
