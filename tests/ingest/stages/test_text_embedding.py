"""The meaning of scenes: a short one leans on its neighbours, and is not drowned by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.stages import text_embedding
from heimdex_core.ingest.stages.audio import Sound
from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.ingest.stages.text_embedding import SceneWords, embed_words
from heimdex_core.models.base import QueryVector, Vectors
from heimdex_core.settings import Settings
from heimdex_core.types import Segment, Space, Transcript, WorkContext

WORDS = ("bread", "boat", "train")


class WordCounter:
    """An encoder whose vectors can be worked out by hand: how often each of three words occurs."""

    space = Space("text/counter", "text", "counter", "1", len(WORDS))

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        counts = np.array([[text.split().count(word) for word in WORDS] for text in texts], dtype=np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    def encode_query(self, text: str) -> QueryVector:
        return QueryVector(self.encode_passages([text])[0])

    def understands(self, text: str) -> bool:
        return "?" not in text


SILENCE = Sound(wav=None)
SCENES = [SceneSpan(0.0, 4.0), SceneSpan(4.0, 8.0), SceneSpan(8.0, 12.0)]


def embed(said: Sequence[str], weight: float) -> tuple[tuple[int, ...], Vectors]:
    segments = tuple(Segment(4.0 * n + 1, 4.0 * n + 3, text) for n, text in enumerate(said) if text)
    params = replace(IngestParams.from_settings(Settings()), context_weight=weight)
    words, vectors = embed_words(
        SCENES, Transcript(segments, "subtitles"), SILENCE, WordCounter(), params, WorkContext()
    )
    return words.rows, vectors


def test_neighbours_count_by_their_weight() -> None:
    rows, vectors = embed(["bread", "boat", "train"], 0.5)
    assert rows == (0, 1, 2)
    # scene 1: half (0, 1, 0), half (1, 1, 1)/sqrt(3), to length 1
    mixed = 0.5 * np.array([0, 1, 0]) + 0.5 * np.ones(3) / np.sqrt(3)
    np.testing.assert_allclose(vectors[1], mixed / np.linalg.norm(mixed), atol=1e-6)


def test_without_weight_only_its_own_words_count() -> None:
    _, vectors = embed(["bread", "boat", "train"], 0.0)
    np.testing.assert_allclose(vectors, np.eye(3), atol=1e-6)


def test_a_scene_without_words_has_no_vector() -> None:
    rows, vectors = embed(["bread", "", "train"], 0.35)
    assert rows == (0, 2)
    assert vectors.shape == (2, 3)


def test_words_that_the_model_cannot_read_have_no_vector() -> None:
    rows, _ = embed(["bread", "boat ?", "train"], 0.35)
    assert rows == (0, 2)


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_the_weight_is_a_share(weight: float) -> None:
    with pytest.raises(ValueError, match="context_weight"):
        Settings(context_weight=weight)


# --- beside a second text model -------------------------------------------------------------------


class EnglishCounter(WordCounter):
    languages = frozenset({"en"})


class Reader(WordCounter):
    """Reads what WordCounter does not; only a text with "!" is beyond it too."""

    def understands(self, text: str) -> bool:
        return "!" not in text


def words_in(language: str | None, said: Sequence[str], second: WordCounter | None) -> SceneWords:
    segments = tuple(Segment(4.0 * n + 1, 4.0 * n + 3, text) for n, text in enumerate(said))
    transcript = Transcript(segments, "subtitles", language=language)
    params = IngestParams.from_settings(Settings())
    words, vectors = embed_words(SCENES, transcript, SILENCE, EnglishCounter(), params, WorkContext(), second)
    assert len(vectors) == len(words.rows)
    return words


@pytest.mark.parametrize(("language", "rows"), [("en", (0, 1)), ("en-GB", (0, 1)), (None, (0, 1)), ("de", ())])
def test_other_languages_are_left_to_a_second_model(language: str | None, rows: tuple[int, ...]) -> None:
    assert words_in(language, ["bread", "boat"], Reader()).rows == rows
    assert words_in(language, ["bread", "boat"], None).rows == (0, 1)


def test_not_understood_is_what_neither_model_reads() -> None:
    said = ["bread ?", "boat", "train ? !"]
    assert words_in("en", said, None).not_understood == 2
    assert words_in("en", said, Reader()).not_understood == 1
    assert words_in("de", said, Reader()).not_understood == 1


def test_long_texts_go_to_the_model_in_smaller_batches(monkeypatch: pytest.MonkeyPatch):
    """Between two batches is when somebody can stop the work."""
    monkeypatch.setattr(text_embedding, "_BATCH_CHARS", 100)
    texts = ["x" * 30] * 4 + ["y" * 500] + ["z"] * 130
    found = [texts[batch] for batch in text_embedding._batches(texts)]
    assert [len(batch) for batch in found] == [3, 1, 1, 64, 64, 2]
    assert [text for batch in found for text in batch] == texts
