"""The library as one person uses it: `Library`, and the parts that do its work."""

from heimdex_core.library.library import Library, PublishedState

__all__ = ["Library", "PublishedState"]
