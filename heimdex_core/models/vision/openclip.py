"""Embeddings of images and descriptions by any open_clip model: "ARCHITECTURE/PRETRAINED", or "local-dir:PATH".

Each tower is read when it is first needed. A process that only searches never loads the image tower.

Tags are the names in a vocabulary that an image's vector is most similar to. Within each group the names compete with
each other and with neutral sentences (softmax with the model's own scale, as in CLIP, arXiv 2103.00020), and only clear
winners become tags.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from heimdex_core.errors import InvalidValue, ModelBroken
from heimdex_core.models.base import (
    Image,
    LazyEncoder,
    ModelOptions,
    QueryVector,
    Vectors,
    checked_vectors,
    loading_errors,
)
from heimdex_core.models.device import Batches, Device, choose_device, half_precision
from heimdex_core.models.family import ModelFamily, adapter_options
from heimdex_core.models.text.coverage import LATIN, ScriptCoverage, TokenizerCoverage, words_of
from heimdex_core.models.threads import use_torch_threads
from heimdex_core.models.vision import openclip_files
from heimdex_core.models.vision.openclip_files import Files

if TYPE_CHECKING:
    from torch import Tensor, nn

PROMPTS = ("{}", "a photo of {}", "a video frame of {}")
# on a CPU a batch is no faster than its images one by one, and one by one the result never depends on neighbours
BATCH: dict[Device, int] = {"cpu": 1, "cuda": 64}
TEXT_BATCH: dict[Device, int] = {"cpu": 8, "cuda": 256}
AHEAD = 8
"""Images that are preprocessed while the model works on the previous ones."""

VOCABULARY = Path(__file__).with_name("tags.toml")
MOST_TAGS = 8
MOST_OF_A_GROUP = 3
CERTAIN = 0.25
"""Least probability of a tag within its group."""
CLEAR = 2.0
"""Least ratio of a tag's probability to that of the best neutral sentence."""


class ImagePool:
    """Preprocesses images in other threads."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix="pictures", initializer=use_torch_threads, initargs=(1,)
        )

    def blocks(
        self, images: Sequence[Image], transform: Callable[[Image], Tensor], batch_size: int
    ) -> Iterator[list[Tensor]]:
        """Blocks of input tensors; the next block is prepared while the caller works on one."""
        size = max(AHEAD, 2 * batch_size)
        waiting: list[Future[Tensor]] = []
        for start in range(0, len(images), size):
            coming = [self._pool.submit(transform, image) for image in images[start : start + size]]
            if waiting:
                yield [future.result() for future in waiting]
            waiting = coming
        yield [future.result() for future in waiting]


class OpenClip(LazyEncoder[Files, "_Side"]):
    """An ImageTextEncoder. It is loaded when its text tower is; the image tower is read with the first image.

    `model` is "ARCHITECTURE/PRETRAINED" as in open_clip or "local-dir:PATH", else UnknownName is raised. A query is put
    in place of "{}" in each of the `prompts` (InvalidValue without it), and the vectors are averaged. A batch is one of
    images. `vocabulary` is the TOML file of the tags.
    """

    kind = "vision"

    def __init__(
        self,
        model: str,
        *,
        prompts: Sequence[str] = PROMPTS,
        vocabulary: Path = VOCABULARY,
        **options: Unpack[ModelOptions],
    ) -> None:
        for prompt in prompts:
            if "{}" not in prompt:
                raise InvalidValue(name="vision prompt", value=prompt, reason="it has no {} for the query")
        self._spec = openclip_files.parse(model)
        super().__init__(self._spec.name, self._spec.pin, **options)
        self._prompts = tuple(prompts) or ("{}",)
        self._vocabulary = vocabulary
        self._images: _Side | None = None
        self._tokenizer: Any = None
        self._transform: Any = None
        self._pool = ImagePool(min(4, self._threads))

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of both towers."""
        return tuple(note for side in (self._model, self._images) if side for note in side.batches.notes)

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """The vectors (n, d) of RGB images of any size. Raises InvalidValue for other arrays."""
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
                raise InvalidValue(
                    name="picture", value=f"{image.dtype} {image.shape}", reason="uint8 (height, width, 3) is needed"
                )
        if not images:
            return np.zeros((0, self.space.dim), dtype=np.float32)
        with self._lock:
            side = self._image_side()
        found: list[Vectors] = []
        for block in self._pool.blocks(images, self._transform, side.batches.size):
            with self._lock:
                found += list(side.run(block, self._threads))
        return np.concatenate(found)

    def encode_query(self, text: str) -> QueryVector:
        """The mean of the query in each prompt, (d,); abstains with "language" or "no_known_words"."""
        query = self._coverage.query(text)
        if not query.reason and not query.used_words:
            query = replace(query, reason="no_known_words")
        if query.reason:
            return query
        # words that the tokenizer does not know would be encoded as one word that means something else
        known = " ".join(query.used_words) if query.unknown_words else text.strip()
        return replace(query, vector=self._encode_texts([known])[0])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d) of queries; rows of zeros for those that it does not understand."""
        found = [self.encode_query(text).vector for text in texts]
        return np.array([np.zeros(self.space.dim, np.float32) if vector is None else vector for vector in found])

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """English names of what the image with this vector (d,) shows, most certain first, at most MOST_TAGS."""
        with self._lock:
            return self._tagger.tags(np.asarray(vector, dtype=np.float32))

    @cached_property
    def _tagger(self) -> Tagger:
        vocabulary = read_vocabulary(self._vocabulary)
        known = {name for name in vocabulary.names if not self._coverage.unknown_words(words_of(name))}
        return Tagger(vocabulary, known, self._encode_texts, openclip_files.logit_scale(self._files()))

    @cached_property
    def _coverage(self) -> TokenizerCoverage | ScriptCoverage:
        folder = openclip_files.tokenizer_folder(self._files(), self._models_dir)
        # the tokenizer in open_clip belongs to English models and splits every other script into bytes
        return TokenizerCoverage(folder / "tokenizer.json", self.name) if folder else ScriptCoverage(LATIN)

    def _encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d): of each text the mean over the prompts."""
        prompted = [prompt.replace("{}", text) for text in texts for prompt in self._prompts]
        with self._lock:
            side = self._loaded()
            ids = self._tokenizer(prompted)
            found = np.concatenate(list(side.run(list(ids), self._threads)))
        mean = found.reshape(len(texts), len(self._prompts), -1).mean(axis=1)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)

    def _find(self) -> Files:
        return openclip_files.find(self._spec, self._models_dir)

    def _width(self, found: Files) -> int:
        return found.dim

    def _check(self, found: Files) -> None:
        openclip_files.tokenizer_folder(found, self._models_dir)
        read_vocabulary(self._vocabulary)

    def _read(self, found: Files) -> _Side:
        with loading_errors(self.name):
            tower = openclip_files.text_tower(found, self._models_dir)
            self._tokenizer = openclip_files.tokenizer(found, self._models_dir)
            device = choose_device(self._device)
            return _Side(tower, device, Batches(self.name, TEXT_BATCH[device]), found.dim)

    def _image_side(self) -> _Side:
        """The lock must be held."""
        if self._images is None:
            files = self._files()
            with loading_errors(self.name):
                tower = openclip_files.image_tower(files)
                self._transform = openclip_files.image_transform(files, tower)
                device = choose_device(self._device)
                batches = Batches(self.name, self._batch_size or BATCH[device])
                self._images = _Side(tower, device, batches, files.dim)
        return self._images


class _Side:
    """One tower on its device, in half precision where the hardware supports that."""

    def __init__(self, tower: nn.Module, device: Device, batches: Batches, dim: int) -> None:
        self._tower = tower.to(device)
        self._device = device
        self.batches = batches
        self._dim = dim

    def run(self, inputs: Sequence[Tensor], threads: int) -> Iterator[Vectors]:
        """The unit vectors (n, d) of each batch in turn."""
        use_torch_threads(threads)
        return self.batches.run(inputs, self._batch)

    def _batch(self, inputs: Sequence[Tensor]) -> Vectors:
        import torch
        from torch.nn.functional import normalize

        with torch.inference_mode(), half_precision(self._device):
            found = self._tower(torch.stack(list(inputs)).to(self._device))
        pooled = found[0] if isinstance(found, tuple) else found
        vectors = normalize(pooled.float(), dim=-1).cpu().numpy()
        return checked_vectors(vectors, (len(inputs), self._dim), self.batches.name)


# --- tags -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vocabulary:
    """Groups of English names, each with its Korean name, and the neutral sentences `nothing`."""

    groups: Mapping[str, Mapping[str, str]]
    nothing: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The English names of all groups."""
        return [name for group in self.groups.values() for name in group]


@lru_cache(maxsize=8)
def read_vocabulary(path: Path = VOCABULARY) -> Vocabulary:
    """The vocabulary in a TOML file. Raises ModelBroken where it is damaged or has a name twice."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        nothing = tuple(str(text) for text in data.pop("nothing"))
        groups = {group: {str(en): str(ko) for en, ko in names.items()} for group, names in data.items()}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelBroken(name="vision tags", reason=f"{path.name}: {error}") from error
    names = [name for group in groups.values() for name in group]
    for name in names:
        if name != name.strip().lower() or names.count(name) > 1:
            raise ModelBroken(name="vision tags", reason=f"{path.name}: {name} is not lower case or is repeated")
    return Vocabulary(groups, nothing)


class Tagger:
    """The vocabulary as vectors of one model: those names whose words it knows.

    `encode` gives the unit vectors (n, d) of texts, `scale` is the model's logit scale.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        known: Collection[str],
        encode: Callable[[Sequence[str]], Vectors],
        scale: float,
    ) -> None:
        self._scale = scale
        self._groups: list[tuple[list[str], Vectors]] = []
        nothing = encode(vocabulary.nothing)
        for group in vocabulary.groups.values():
            names = [name for name in group if name in known]
            # a single name would compete with the neutral sentences alone, and win by default
            if len(names) > 1:
                self._groups.append((names, np.concatenate([encode(names), nothing])))

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """Names for a unit vector (d,), most probable first, at most MOST_TAGS."""
        found: dict[str, float] = {}
        for names, vectors in self._groups:
            scores = (vectors @ vector).astype(np.float64) * self._scale
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            least = max(CERTAIN, CLEAR * float(shares[len(names) :].max(initial=0.0)))
            best = sorted(zip(names, shares[: len(names)], strict=True), key=lambda pair: (-pair[1], pair[0]))
            found |= {name: float(share) for name, share in best[:MOST_OF_A_GROUP] if share >= least}
        return tuple(sorted(found, key=lambda name: (-found[name], name))[:MOST_TAGS])


FAMILY = ModelFamily(
    name="openclip",
    kind="vision",
    make=lambda name, settings, purpose: OpenClip(
        name, prompts=settings.vision_prompts, **adapter_options(settings, purpose, "vision")
    ),
    names=openclip_files.REPOS,
    hub=openclip_files.hub_files(lambda name: not openclip_files.is_coca(name)),
)
