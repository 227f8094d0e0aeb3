"""A small library in memory, and searchers over it."""

from typing import Any

import pytest

from heimdex_core.search.channels.channel_set import ChannelSets
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import Settings
from tests.search.fakes import TEXT, VISION, FakeModels, FakeReader, scene


class Bench:
    """Four scenes in two videos, with cosine similarities by hand."""

    def __init__(self) -> None:
        self.scenes = [
            scene("v1", 0, "the ferry leaves the harbour"),
            scene("v1", 1, "fresh bread, and more bread"),
            scene("v2", 0, ""),
            scene("v2", 1, "a wolf and the moon"),
        ]
        self.reader = FakeReader(self.scenes)
        self.models = FakeModels()
        self.ids = [s.scene_id for s in self.scenes]
        self.reader.vectors[TEXT.name] = dict(zip(self.ids, (0.8, 0.4, 0.0, -0.2), strict=True))
        self.reader.vectors[VISION.name] = dict(zip(self.ids, (0.1, 0.3, 0.9, 0.5), strict=True))
        self.logged: list[dict] = []
        self.settings = Settings(_env_file=None, channel_timeout_s=30)

    def searcher(self, **settings: Any) -> Searcher:
        chosen = self.settings.model_copy(update=settings)
        reader: Any = self.reader
        return Searcher(reader, ChannelSets(lambda set_id: self.models).of, chosen, log=self.logged.append)


@pytest.fixture
def bench() -> Bench:
    return Bench()
