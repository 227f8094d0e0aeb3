"""Measure "nothing here is close": how often it is said of queries with an answer, and of queries without one.

    python evaluation/closeness.py [--scenes 40 400 4000] [--only odd|even] [--missed]

closeness/queries.json has the queries and the scenes that answer them, closeness/sentences.json the parts of which
other scenes are made. Both were written before anything was searched. Queries are asked of so many scenes, and of 40
of the most scenes, as under a filter. Where only 40 scenes are searched, the queries are divided between two sets.

A search is by the text channels of a model set: what is said, alone and together with the words. "Floor" is the rule
that was used before, that nothing is close if no scene exceeds the threshold of the model. Wanted of both channels
together: at most 1 of 20 queries with an answer called hopeless, at least 9 of 10 of the hopeless ones. Non-zero if the
default does not reach it. Intervals: 95 %, Wilson (JASA 1927). For palette there are figures only.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evaluation import palette_fresh, palette_scenes
from heimdex_core.models.palette.encoder import Palette
from heimdex_core.models.text.minilm import MiniLM
from heimdex_core.models.text.use import UniversalSentenceEncoder
from heimdex_core.search.channels.base import Channel, ChannelRequest, ChannelResult
from heimdex_core.search.channels.dense import DenseChannel
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.channels.lexical import LexicalChannel
from heimdex_core.search.channels.routed import RoutedChannel, RoutedSpace
from heimdex_core.search.strength import nothing_close
from heimdex_core.store import lexical, lexical_writing
from heimdex_core.store.hits import Hits, KeyframeMatches, Keyframes
from heimdex_core.types import Scene, Space, make_scene_id

Floats = npt.NDArray[np.float32]
FOLDER = Path(__file__).parent / "closeness"
FEW = 40
WANTED = {"good": 0.05, "hopeless": 0.9}
"""The most of the good queries, and the least of the hopeless ones, of which it may be said that nothing is close."""
KEY = ("scenes", 1)


@dataclass(frozen=True)
class Question:
    """A query and what is known about it."""

    kind: str
    """good, across or hopeless"""
    language: str
    text: str
    answer: int | None
    """The number of the scene that answers it."""


class Scenes:
    """The part of a library's view that the channels use, with vectors in memory and a lexical index on disk."""

    def __init__(self, texts: Sequence[str], vectors: dict[str, Floats], folder: Path) -> None:
        """`vectors` (n, d) by the name of the space, with rows of zeros where a scene has none."""
        self.token = str(folder)
        self.ids = [make_scene_id("scenes", 10.0 * n, 10.0 * n + 10.0) for n in range(len(texts))]
        self._vectors = vectors
        self._has = {name: found.any(axis=1) for name, found in vectors.items()}
        scenes = [
            Scene(scene_id, "scenes", n, 10.0 * n, 10.0 * n + 10.0, transcript=text)
            for n, (scene_id, text) in enumerate(zip(self.ids, texts, strict=True))
        ]
        self._scenes = dict(zip(self.ids, scenes, strict=True))
        lexical_writing.sync(folder, {KEY}, lambda key: ("", scenes))
        self._words = lexical.LexicalIndex.open(folder)

    def vector_search(
        self, space: Space, vector: Floats, *, k: int, scene_ids: Any = None, outside: Space | None = None, **of: Any
    ) -> Hits:
        scores = self._vectors[space.name] @ vector
        rows = self._rows(space, outside)
        best = [row for row in np.argsort(-scores) if rows[row] and (scene_ids is None or self.ids[row] in scene_ids)]
        return Hits([self.ids[row] for row in best[:k]], scores[best[:k]])

    def keyframe_search(self, space: Space, vector: Floats, *, temperature: float, **of: Any) -> KeyframeMatches:
        hits = self.vector_search(space, vector, **of)
        return KeyframeMatches(hits, Keyframes.of([None] * len(hits)))

    def sample_vectors(self, space: Space, count: int, *, outside: Space | None = None) -> Floats:
        found = np.flatnonzero(self._rows(space, outside))
        return self._vectors[space.name][found[np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)]]

    def has_vectors_outside(self, space: Space, other: Space, **of: Any) -> bool:
        return bool(self._rows(space, other).any())

    def has_transcripts(self, *of: Any) -> bool:
        return True

    def lexical_search(self, text: str, *, k: int, scene_ids: Any = None, **of: Any) -> lexical.LexicalResult:
        assert self._words is not None  # noqa: S101
        return self._words.search(text, k=k, allowed=[KEY], scene_ids=scene_ids)

    def word_coverage(self, words: Any, *, scene_ids: Any, **of: Any) -> dict[str, float]:
        assert self._words is not None  # noqa: S101
        return self._words.coverage(words, allowed=[KEY], scene_ids=scene_ids)

    def has_word(self, word: str, **of: Any) -> bool:
        assert self._words is not None  # noqa: S101
        return self._words.has_word(word, allowed=[KEY])

    def scenes_with_similar_word(self, word: str, *, edits: int, k: int, **of: Any) -> list[str]:
        assert self._words is not None  # noqa: S101
        return self._words.with_similar_word(word, edits=edits, k=k, allowed=[KEY])

    def video_titles(self, user_id: str, video_ids: Any) -> dict[str, str]:
        return dict.fromkeys(video_ids, "")

    def scenes_by_id(self, ids: Sequence[str]) -> dict[str, Scene]:
        return {scene_id: self._scenes[scene_id] for scene_id in ids}

    def _rows(self, space: Space, outside: Space | None) -> npt.NDArray[np.bool_]:
        rows = self._has[space.name]
        return np.asarray(rows if outside is None else rows & ~self._has[outside.name], bool)


class Corpus:
    """The scenes of all sizes, with each text encoded once."""

    def __init__(self, folder: Path, most: int) -> None:
        data = json.loads((FOLDER / "queries.json").read_text("utf-8"))
        self.questions: list[Question] = []
        self.texts: list[str] = []
        self.languages: list[str] = []
        for kind in ("good", "across", "hopeless"):
            for row in data[kind]:
                answer = len(self.texts) if "scene" in row else None
                self.questions.append(Question(kind, row["language"], row["query"], answer))
                if "scene" in row:
                    self.texts.append(row["scene"]["text"])
                    self.languages.append(row["scene"]["language"])
        self._answers = len(self.texts)
        for language, text in made_up(most - self._answers):
            self.texts.append(text)
            self.languages.append(language)
        english = [text if at == "en" else "" for text, at in zip(self.texts, self.languages, strict=True)]
        # as when a library is indexed: the English model gets English scenes only
        self._vectors = {
            MINILM.space.name: MINILM.encode_passages(english),
            USE.space.name: USE.encode_passages(self.texts),
        }
        self._folder = folder

    def scenes(self, numbers: Sequence[int]) -> Scenes:
        """The scenes with these numbers, as a library of their own."""
        chosen = {name: found[list(numbers)] for name, found in self._vectors.items()}
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        return Scenes([self.texts[n] for n in numbers], chosen, folder / "lexical")

    def halves(self) -> tuple[list[int], list[int]]:
        """Two sets of FEW scenes, which have all answers between them."""
        others = iter(range(self._answers, len(self.texts)))
        sets = []
        for first in (0, 1):
            own = list(range(first, self._answers, 2))
            sets.append(own + [next(others) for _ in range(FEW - len(own))])
        return sets[0], sets[1]


def made_up(count: int) -> Iterator[tuple[str, str]]:
    """(language, text) of scenes that answer none of the queries without an answer; the same ones every time."""
    data = json.loads((FOLDER / "sentences.json").read_text("utf-8"))
    rng = random.Random(1)  # noqa: S311
    texts: dict[str, list[str]] = {}
    for language in ("en", "ko"):
        own = data[language]
        made = [f.format(a=a, b=b) for t in own["topics"] for f in t["frames"] for a in t["a"] for b in t["b"]]
        texts[language] = [f"{text[0].upper()}{text[1:]} {rng.choice(own['after'])}".strip() for text in made]
        rng.shuffle(texts[language])
    for number in range(count):
        language = ("en", "ko")[number % 2]
        yield language, texts[language][number // 2]


MINILM, USE, PALETTE = MiniLM(), UniversalSentenceEncoder(), Palette()


def text_channels() -> dict[str, Channel]:
    """The transcript channel of the default, and of each of its models alone."""
    first, second = (SharedEncoder(lambda model=model: model, "a") for model in (MINILM, USE))  # type: ignore[misc]
    spaces = RoutedSpace(MINILM.space, first), RoutedSpace(USE.space, second)
    return {
        "default": RoutedChannel("transcript", *spaces, lambda request: None),
        "USE alone": DenseChannel("transcript", USE.space, second),
        "MiniLM alone": DenseChannel("transcript", MINILM.space, first),
    }


def ask(channel: Channel, scenes: Scenes, text: str, among: frozenset[str] | None) -> ChannelResult:
    """The result of a channel for a query; `among` are the only scenes that are searched."""
    view: Any = scenes
    only: Any = among
    count = len(scenes.ids if among is None else among)
    return channel.search(ChannelRequest(view, text, "local", None, 1000, count, scene_ids=only, lookup=text))


@dataclass(frozen=True)
class Count:
    """How often it was said that nothing is close."""

    said: int
    of: int

    def __str__(self) -> str:
        low, high = wilson(self.said, self.of)
        return f"{self.said:3d}/{self.of:<3d} {low:4.0%} to {high:4.0%}"

    @property
    def share(self) -> float:
        return self.said / self.of if self.of else math.nan


def wilson(count: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score method (JASA 22, 1927)."""
    if of == 0:
        return 0.0, 1.0
    share = count / of
    centre = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


Setting = tuple[str, list[tuple[Scenes, frozenset[str] | None, list[Question]]]]


def settings_of(corpus: Corpus, sizes: Sequence[int], questions: Sequence[Question]) -> list[Setting]:
    """(name, [(scenes, those that pass the filter, the queries asked)])."""
    halves = corpus.halves()
    hopeless = [question for question in questions if question.answer is None]

    def shared(half: int) -> list[Question]:
        answered = [one for one in questions if one.answer is not None and one.answer in halves[half]]
        return answered + hopeless[half::2]

    found: list[Setting] = []
    for size in sizes:
        if size <= FEW:
            found.append((f"{size}", [(corpus.scenes(own), None, shared(n)) for n, own in enumerate(halves)]))
        else:
            found.append((f"{size}", [(corpus.scenes(range(size)), None, list(questions))]))
    most = found[-1][1][0][0]
    filtered: list[tuple[Scenes, frozenset[str] | None, list[Question]]] = [
        (most, frozenset(most.ids[n] for n in own), shared(half)) for half, own in enumerate(halves)
    ]
    return [*found, (f"{FEW} of {max(sizes)}", filtered)]


Rule = Callable[[dict[str, ChannelResult]], bool]
RULES: dict[str, tuple[tuple[str, ...], Rule]] = {
    "floor": (("transcript",), lambda results: not results["transcript"].scenes.hits),
    "said": (("transcript",), lambda results: nothing_close(results, {"transcript": 1.0})),
    "said and words": (("transcript", "lexical"), lambda results: nothing_close(results, dict.fromkeys(results, 1.0))),
}


def measure(settings: Sequence[Setting], channel: Channel, rule: str, *, show: bool, languages: Sequence[str]) -> dict:
    """{setting: {kind: Count}} for one transcript channel and one rule; prints what was said wrongly with `show`."""
    names, is_hopeless = RULES[rule]
    channels = {"transcript": channel, "lexical": LexicalChannel("lexical")}
    table: dict[str, dict[str, Count]] = {}
    for setting, parts in settings:
        said: dict[str, list[bool]] = {"good": [], "across": [], "hopeless": []}
        for scenes, among, questions in parts:
            for question in questions:
                if question.language not in languages:
                    continue
                results = {name: ask(channels[name], scenes, question.text, among) for name in names}
                says = is_hopeless(results)
                said[question.kind].append(says)
                if show and says != (question.kind == "hopeless"):
                    print(f"    {setting}: {question.kind}: {question.text}")
        table[setting] = {kind: Count(sum(values), len(values)) for kind, values in said.items()}
    return table


def main() -> int:
    """Print the tables; 0 if the default reaches what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, nargs="+", default=[FEW, 400, 4000], help="at least 76, or 40")
    parser.add_argument("--only", choices=("odd", "even"), help="every second query")
    parser.add_argument("--missed", action="store_true", help="print the queries about which the default is wrong")
    args = parser.parse_args()
    is_reached = True
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Path(folder), max(args.scenes))
        questions = corpus.questions[
            {"odd": slice(0, None, 2), "even": slice(1, None, 2), None: slice(None)}[args.only]
        ]
        settings = settings_of(corpus, sorted(args.scenes), questions)
        print(f"{'':40s}{'good':>20s}{'across':>22s}{'hopeless':>22s}")
        for model, channel in text_channels().items():
            languages = ("en",) if model == "MiniLM alone" else ("en", "ko")
            for rule in RULES:
                show = args.missed and model == "default" and rule == "said and words"
                for setting, counts in measure(settings, channel, rule, show=show, languages=languages).items():
                    print(f"{model:14s}{rule:16s}{setting:10s}" + "  ".join(str(one) for one in counts.values()))
                    if model == "default" and rule == "said and words":
                        is_reached &= counts["good"].share <= WANTED["good"]
                        is_reached &= counts["hopeless"].share >= WANTED["hopeless"]
        print(palette_line(Path(folder), questions))
    return 0 if is_reached else 1


def palette_line(folder: Path, questions: Sequence[Question]) -> str:
    """The same for the drawn pictures of palette.py, whose queries all have an answer."""
    pictures: list[Any] = []
    asked: list[str] = []
    for drawn in (palette_scenes, palette_fresh):
        pictures += [one for own in palette_scenes.draw(drawn.KINDS).values() for one in own]
        asked += [text for _, text, _ in drawn.QUERIES]
    vectors = {PALETTE.space.name: PALETTE.encode_images(pictures)}
    scenes = Scenes([""] * len(pictures), vectors, folder / "pictures")
    channel = DenseChannel("vision", PALETTE.space, SharedEncoder(lambda: PALETTE, "blue"))

    def count(texts: Sequence[str]) -> Count:
        said = [nothing_close({"vision": ask(channel, scenes, text, None)}, {"vision": 1.0}) for text in texts]
        return Count(sum(said), len(said))

    hopeless = count([one.text for one in questions if one.kind == "hopeless"])
    return f"palette, {len(pictures)} drawn pictures: good {count(asked)}, hopeless {hopeless}"


if __name__ == "__main__":
    sys.exit(main())
