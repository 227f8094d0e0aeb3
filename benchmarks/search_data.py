"""Made-up scenes for benchmarks/search.py: vectors of two kinds, texts of a vocabulary as a language has, and queries.

`clustered`: vectors lie around scenes / 250 random centres, as those of real scenes do; the scenes of a video are
around five of them. A vector is .8 centre and .6 noise, so that two of a cluster have a cosine of about .64.

`low-structure`: normally distributed without clusters; the i-th component has the standard deviation (1 + i)^-1/4, so
that about 420 of 768 dimensions count. Nearest neighbours are hardly nearer than others, which is hard for every index
that searches a part of the vectors.

A query is a vector near that of a random scene (a cosine of about .75), and words, some of them from its transcript.
Everything follows from SEED, the kind of data and the number of scenes, block by block, so that a million scenes never
are in memory at once.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Data = Literal["clustered", "low-structure"]
DATA: tuple[Data, ...] = ("clustered", "low-structure")
Role = Literal["vision", "text"]
DIMS: dict[Role, int] = {"vision": 768, "text": 384}
SEED = 14
SCENES_PER_VIDEO = 100
SCENES_PER_CLUSTER = 250
CLUSTERS_PER_VIDEO = 5
BLOCK_VIDEOS = 100
QUERIES = 400
TAGS = 100
"""Each scene has one of so many tags, so that a tag is a filter of 1 %."""
LENGTHS_S = (2.0, 8.0)
"""Evenly distributed, so that a range of 3 s is a filter of 50 %."""

ENGLISH_WORDS = 30_000
KOREAN_WORDS = 3_000
KOREAN_SHARE = 0.02
"""Of the videos, and of the queries. Taking Korean apart is a third of the work of the import at a tenth."""
WORDS_PER_SCENE = 14
QUERY_WORDS = 3
FREQUENT_WORDS = 100
"""The most frequent words are in no query, as nobody asks for "the" and "of"."""
_KOREAN = (
    *("사람", "시간", "학교", "바다", "산길", "도시", "회의", "발표", "음악", "영화", "친구", "가족", "아침", "저녁"),
    *(
        "여름",
        "겨울",
        "날씨",
        "운동",
        "축구",
        "야구",
        "자동차",
        "기차",
        "비행기",
        "시장",
        "음식",
        "요리",
        "커피",
        "사진",
    ),
    *(
        "그림",
        "역사",
        "과학",
        "수학",
        "언어",
        "한국",
        "서울",
        "부산",
        "제주",
        "강아지",
        "고양이",
        "나무",
        "꽃밭",
        "하늘",
    ),
    *("구름", "바람", "눈물", "웃음", "행사", "무대", "경기", "선수", "기자", "뉴스", "정부", "경제", "건강", "병원"),
)


@dataclass(frozen=True)
class MadeUp:
    """A data set of one kind and size."""

    data: Data
    scenes: int

    @property
    def videos(self) -> int:
        """How many videos there are, each of SCENES_PER_VIDEO scenes."""
        return self.scenes // SCENES_PER_VIDEO

    # --- vectors ----------------------------------------------------------------------------------

    def blocks(self, role: Role) -> Iterator[Floats]:
        """(n, d) unit vectors of BLOCK_VIDEOS videos at a time."""
        for first in range(0, self.videos, BLOCK_VIDEOS):
            count = min(BLOCK_VIDEOS, self.videos - first)
            rng = self._rng(role, first)
            clusters = np.repeat(rng.integers(0, self._clusters, (count, CLUSTERS_PER_VIDEO)), SCENES_PER_VIDEO, axis=0)
            chosen = rng.integers(0, CLUSTERS_PER_VIDEO, count * SCENES_PER_VIDEO)
            yield self._around(role, clusters[np.arange(len(clusters)), chosen], rng)

    def of_one_more_video(self, role: Role, number: int) -> Floats:
        """(SCENES_PER_VIDEO, d) unit vectors of a video that is not among the others."""
        rng = self._rng(role, -1 - number)
        return self._around(role, rng.integers(0, self._clusters, SCENES_PER_VIDEO), rng)

    def near(self, role: Role, vectors: Floats) -> Floats:
        """Queries near these (n, d) vectors."""
        noise = self._noise(role, len(vectors), self._rng(role, 1 << 40))
        return _unit(0.75 * vectors + 0.66 * noise)

    def _around(self, role: Role, clusters: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
        noise = self._noise(role, len(clusters), rng)
        return noise if self.data == "low-structure" else _unit(0.8 * self._centres(role)[clusters] + 0.6 * noise)

    def _noise(self, role: Role, count: int, rng: np.random.Generator) -> Floats:
        noise = rng.standard_normal((count, DIMS[role]), dtype=np.float32)
        if self.data == "low-structure":
            noise *= np.power(1.0 + np.arange(DIMS[role], dtype=np.float32), -0.25)
        return _unit(noise)

    @property
    def _clusters(self) -> int:
        return max(40, self.scenes // SCENES_PER_CLUSTER)

    def _centres(self, role: Role) -> Floats:
        return _centres(role, self._clusters)

    def _rng(self, role: str, number: int) -> np.random.Generator:
        return np.random.default_rng(
            [SEED, zlib.crc32(f"{self.data} {role}".encode()), self.scenes, number + (1 << 20)]
        )

    # --- videos and texts -------------------------------------------------------------------------

    def video(self, number: int) -> Video:
        """The scenes of a video, without their vectors."""
        digest = hashlib.sha256(f"{SEED} {self.data} {self.scenes} {number}".encode())
        rng = self._rng("texts", number)
        is_korean = bool(rng.random() < KOREAN_SHARE)
        texts = [sentence(rng, WORDS_PER_SCENE, is_korean=is_korean) for _ in range(SCENES_PER_VIDEO)]
        ends_s = np.round(np.cumsum(rng.uniform(*LENGTHS_S, SCENES_PER_VIDEO)), 3)
        return Video(
            video_id=str(uuid.UUID(bytes=digest.digest()[:16], version=4)),
            sha256=digest.hexdigest(),
            language="ko" if is_korean else "en",
            texts=texts,
            ends_s=[float(end_s) for end_s in ends_s],
            tags=[f"t{tag}" for tag in rng.integers(0, TAGS, SCENES_PER_VIDEO)],
        )

    # --- files ------------------------------------------------------------------------------------

    def write(self, folder: Path) -> None:
        """Write the vectors (float16) and the queries, unless they are there."""
        if (folder / "queries.json").exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        chosen = np.sort(self._rng("queries", 0).choice(self.scenes, QUERIES, replace=False))
        for role, dim in DIMS.items():
            shape = (self.videos * SCENES_PER_VIDEO, dim)
            file = np.lib.format.open_memmap(folder / f"{role}.npy", "w+", np.float16, shape)
            at = 0
            for block in self.blocks(role):
                file[at : at + len(block)] = block
                at += len(block)
            file.flush()
            np.save(folder / f"{role}-queries.npy", self.near(role, file[chosen].astype(np.float32)))
            del file
        texts = list(self._query_texts([int(scene) for scene in chosen]))
        (folder / "queries.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")

    def _query_texts(self, scenes: list[int]) -> Iterator[str]:
        """QUERY_WORDS words each, all different: up to two of the scene's own, and others of the vocabulary."""
        rng = self._rng("query words", 0)
        seen: set[str] = set()
        for scene in scenes:
            video = self.video(scene // SCENES_PER_VIDEO)
            is_korean = video.language == "ko"
            own = [w for w in video.texts[scene % SCENES_PER_VIDEO].split() if w not in _frequent(is_korean=is_korean)]
            text = ""
            while not text or text in seen:
                words = [str(word) for word in rng.permutation(own)[:2]]
                while len(words) < QUERY_WORDS:
                    word = sentence(rng, 1, is_korean=is_korean)
                    words += [word] if word not in _frequent(is_korean=is_korean) else []
                text = " ".join(words)
            seen.add(text)
            yield text


@dataclass(frozen=True)
class Video:
    """A made-up video: what is known of its scenes."""

    video_id: str
    sha256: str
    language: str
    texts: list[str]
    ends_s: list[float]
    tags: list[str]


class Files:
    """What `MadeUp.write` has written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def vectors(self, role: Role) -> npt.NDArray[np.float16]:
        """(n, d), mapped."""
        found: npt.NDArray[np.float16] = np.load(self.folder / f"{role}.npy", mmap_mode="r")
        return found

    def queries(self, role: Role) -> Floats:
        """(QUERIES, d) unit vectors."""
        found: Floats = np.load(self.folder / f"{role}-queries.npy")
        return found

    @cached_property
    def texts(self) -> list[str]:
        """QUERIES texts."""
        found: list[str] = json.loads((self.folder / "queries.json").read_text(encoding="utf-8"))
        return found

    def exact(self, role: Role, count: int, k: int) -> npt.NDArray[np.int64]:
        """(count, k) the numbers of the scenes with the largest inner products with each of the first queries."""
        queries, vectors = self.queries(role)[:count], self.vectors(role)
        best = np.full((count, 0), 0, np.int64)
        scores = np.zeros((count, 0), np.float32)
        for at in range(0, len(vectors), 20_000):
            block = vectors[at : at + 20_000].astype(np.float32)
            scores = np.concatenate([scores, queries @ block.T], axis=1)
            best = np.concatenate([best, np.broadcast_to(np.arange(at, at + len(block)), (count, len(block)))], axis=1)
            kept = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            scores, best = np.take_along_axis(scores, kept, 1), np.take_along_axis(best, kept, 1)
        return best


@cache
def _centres(role: Role, count: int) -> Floats:
    rng = np.random.default_rng([SEED, zlib.crc32(role.encode()), count])
    return _unit(rng.standard_normal((count, DIMS[role]), dtype=np.float32))


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / norms, dtype=np.float32)


@cache
def vocabulary(*, is_korean: bool) -> tuple[list[str], npt.NDArray[np.float64]]:
    """(words, their cumulated probabilities): the r-th word is as frequent as 1 / (r + 2.7) (Zipf, Mandelbrot)."""
    rng = np.random.default_rng([SEED, is_korean])
    if is_korean:
        pairs = [a + b for a in _KOREAN for b in _KOREAN if a != b]
        words = [*_KOREAN, *(str(pair) for pair in rng.permutation(pairs))][:KOREAN_WORDS]
    else:
        syllables = [c + v for c in "bcdfghklmnprstvz" for v in "aeiou"]
        words = []
        seen: set[str] = set()
        while len(words) < ENGLISH_WORDS:
            word = "".join(rng.choice(syllables, rng.integers(2, 5)))
            if word not in seen:
                seen.add(word)
                words.append(word)
    weights = 1.0 / (np.arange(len(words)) + 2.7)
    return words, np.cumsum(weights / weights.sum())


@cache
def _frequent(*, is_korean: bool) -> frozenset[str]:
    return frozenset(vocabulary(is_korean=is_korean)[0][:FREQUENT_WORDS])


def sentence(rng: np.random.Generator, length: int, *, is_korean: bool = False) -> str:
    """So many words, of which some are common and most are rare."""
    words, cumulated = vocabulary(is_korean=is_korean)
    ranks = np.minimum(np.searchsorted(cumulated, rng.random(length)), len(words) - 1)
    return " ".join(words[rank] for rank in ranks)


def memory_mb() -> dict[str, float]:
    """What this process has in memory now: its own, and pages of files that it has mapped."""
    found: dict[str, Any] = {}
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]:
        name, value, *_ = line.replace(":", " ").split()
        found[name] = int(value) / 1000 * 1.024
    return {"private_mb": round(found["Anonymous"], 1), "mapped_mb": round(found["Rss"] - found["Anonymous"], 1)}
