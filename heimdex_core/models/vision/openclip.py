"""Embeddings of images and descriptions by any open_clip model: "ARCHITECTURE/PRETRAINED", or "local-dir:PATH".

Each tower is read when it is first needed. A process that only searches never loads the image tower.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.errors import InvalidValue, ModelBroken, ModelUnavailable
from heimdex_core.models.base import Image, QueryVector, Vectors
from heimdex_core.models.batching import Batches, is_out_of_memory
from heimdex_core.models.device import Device, choose_device, has_fast_bf16
from heimdex_core.models.family import ModelFamily, adapter_options
from heimdex_core.models.locate import folder_bytes
from heimdex_core.models.text.coverage import LATIN_SHARE, TokenizerCoverage, latin_share, words_of
from heimdex_core.models.threads import use_torch_threads
from heimdex_core.models.vision import openclip_files
from heimdex_core.models.vision.openclip_files import Files
from heimdex_core.models.vision.tags import VOCABULARY, Tagger, read_vocabulary
from heimdex_core.types import Space

if TYPE_CHECKING:
    from torch import Tensor, nn

PROMPTS = ("{}", "a photo of {}", "a video frame of {}")
# on a CPU a batch is no faster than its images one by one, and one by one the result never depends on neighbours
BATCH: dict[Device, int] = {"cpu": 1, "cuda": 64}
TEXT_BATCH: dict[Device, int] = {"cpu": 8, "cuda": 256}
AHEAD = 8
"""Images that are preprocessed while the model works on the previous ones."""
MAX_ASPECT = 4


class OpenClip:
    """An ImageTextEncoder. Safe to call from many threads, which are served one at a time.

    `model` is "ARCHITECTURE/PRETRAINED" as in open_clip or "local-dir:PATH", else UnknownName is raised. `device` is
    "auto", "cpu" or "cuda", `threads` are torch's per call, `batch_size` is in images, None for the device's default.
    A query is put in place of "{}" in each of the `prompts` (InvalidValue without it), and the vectors are averaged.
    `vocabulary` is the TOML file of the tags.
    """

    def __init__(
        self,
        model: str,
        *,
        models_dir: Path | None = None,
        device: str = "auto",
        threads: int = 1,
        prompts: Sequence[str] = PROMPTS,
        batch_size: int | None = None,
        vocabulary: Path = VOCABULARY,
    ) -> None:
        for prompt in prompts:
            if "{}" not in prompt:
                raise InvalidValue(name="vision prompt", value=prompt, reason="it has no {} for the query")
        self._spec = openclip_files.parse(model)
        self._models_dir = models_dir
        self._device = device
        self._threads = max(1, threads)
        self._prompts = tuple(prompts) or ("{}",)
        self._batch_size = batch_size
        self._vocabulary = vocabulary
        self._lock = threading.RLock()
        self._files_found: Files | None = None
        self._text: _Side | None = None
        self._images: _Side | None = None
        self._tokenizer: Any = None
        self._transform: Any = None
        self._coverage_read: TokenizerCoverage | None = None
        self._tagger: Tagger | None = None
        self._pool = ThreadPoolExecutor(
            min(4, self._threads), thread_name_prefix="pictures", initializer=use_torch_threads, initargs=(1,)
        )

    @property
    def name(self) -> str:
        """The architecture, or the name of the folder."""
        return self._spec.name

    @property
    def space(self) -> Space:
        """Read from the files; of a pinned model known without them. Raises WeightsMissing, ModelBroken."""
        try:
            files = self._files()
        except ModelUnavailable:
            pin, dim = self._spec.pin, openclip_files.stated_dim(self._spec)
            if pin is None or pin.revision is None or dim is None:
                raise
            return self._space(pin.revision, dim)
        return self._space(files.revision, files.dim)

    @property
    def is_loaded(self) -> bool:
        """Whether the text tower is in memory, so that queries need not wait."""
        return self._text is not None

    @property
    def sides_loaded(self) -> tuple[str, ...]:
        """Which of "text" and "images" are in memory."""
        return tuple(name for name, side in (("text", self._text), ("images", self._images)) if side)

    @property
    def size_bytes(self) -> int:
        """Size of the files. Raises WeightsMissing, ModelBroken."""
        return folder_bytes(self._files().folder)

    @property
    def notes(self) -> tuple[str, ...]:
        """Machine codes of what was not as asked: "batch_halved:<size>" where the GPU's memory ran out."""
        return tuple(side.batches.note for side in (self._text, self._images) if side and side.batches.note)

    def check(self) -> None:
        """Raise WeightsMissing or ModelBroken, without loading."""
        self._files_found = None
        openclip_files.tokenizer_folder(self._files(), self._models_dir)
        read_vocabulary(self._vocabulary)

    def load(self) -> None:
        """Read the text tower now; the image tower is read with the first image.

        Raises WeightsMissing, ModelUnavailable, ModelBroken, DeviceUnavailable.
        """
        with self._lock:
            self._text_side()

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
        for block in self._preprocessed(images, max(AHEAD, 2 * side.batches.size)):
            with self._lock:
                found += list(side.run(block, self._threads))
        return np.concatenate(found)

    def encode_query(self, text: str) -> QueryVector:
        """The mean of the query in each prompt, (d,); abstains with "language" or "no_known_words"."""
        words = words_of(text)
        unknown = set(self._unknown_words(words))
        reason = self._reason(text, words, unknown)
        if reason is not None:
            return QueryVector(None, reason=reason, unknown_words=tuple(words))
        known = [word for word in words if word not in unknown]
        # words that the tokenizer does not know would be encoded as one word that means something else
        vector = self._encode_texts([" ".join(known) if unknown else text.strip()])[0]
        return QueryVector(vector, used_words=tuple(known), unknown_words=tuple(w for w in words if w in unknown))

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """English names of what the image with this vector (d,) shows, most certain first, at most 8."""
        with self._lock:
            if self._tagger is None:
                vocabulary = read_vocabulary(self._vocabulary)
                known = {name for name in vocabulary.names if not self._unknown_words(words_of(name))}
                scale = openclip_files.logit_scale(self._files())
                self._tagger = Tagger(vocabulary, known, self._encode_texts, scale)
            return self._tagger.tags(np.asarray(vector, dtype=np.float32))

    # --- words --------------------------------------------------------------------------------------

    def _encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d): of each text the mean over the prompts."""
        prompted = [prompt.replace("{}", text) for text in texts for prompt in self._prompts]
        with self._lock:
            side = self._text_side()
            ids = self._tokenizer(prompted)
            found = np.concatenate(list(side.run(list(ids), self._threads)))
        mean = found.reshape(len(texts), len(self._prompts), -1).mean(axis=1)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)

    def _unknown_words(self, words: list[str]) -> list[str]:
        coverage = self._coverage()
        if coverage is not None:
            return coverage.unknown_words(words)
        # the tokenizer in open_clip belongs to English models and splits every other script into bytes
        return [word for word in words if latin_share(word) not in (None, 1.0)]

    def _reason(self, text: str, words: list[str], unknown: set[str]) -> str | None:
        if not words:
            return "no_known_words"
        share = latin_share(text)
        is_foreign = share is not None and share < LATIN_SHARE
        coverage = self._coverage()
        if coverage is not None:
            return coverage.reason(text)
        return "language" if is_foreign else "no_known_words" if len(unknown) == len(set(words)) else None

    def _coverage(self) -> TokenizerCoverage | None:
        if self._coverage_read is None:
            folder = openclip_files.tokenizer_folder(self._files(), self._models_dir)
            if folder is None:
                return None
            self._coverage_read = TokenizerCoverage(folder / "tokenizer.json", self.name)
        return self._coverage_read

    # --- images -------------------------------------------------------------------------------------

    def _preprocessed(self, images: Sequence[Image], ahead: int) -> Iterator[list[Tensor]]:
        """Blocks of input tensors; the next block is prepared while the caller works on one."""
        waiting: list[Future[Tensor]] = []
        for start in range(0, len(images), ahead):
            coming = [self._pool.submit(self._preprocess, image) for image in images[start : start + ahead]]
            if waiting:
                yield [future.result() for future in waiting]
            waiting = coming
        yield [future.result() for future in waiting]

    def _preprocess(self, image: Image) -> Tensor:
        from PIL import Image as PilImage

        found: Tensor = self._transform(PilImage.fromarray(np.ascontiguousarray(_without_long_ends(image))))
        return found

    # --- loading ------------------------------------------------------------------------------------

    def _space(self, revision: str, dim: int) -> Space:
        return Space(name=f"vision/{self.name}", kind="vision", model=self.name, revision=revision[:12], dim=dim)

    def _files(self) -> Files:
        if self._files_found is None:
            self._files_found = openclip_files.find(self._spec, self._models_dir)
        return self._files_found

    def _text_side(self) -> _Side:
        """The lock must be held."""
        if self._text is None:
            files = self._files()
            with openclip_files.build_errors(self.name):
                tower = openclip_files.text_tower(files, self._models_dir)
                self._tokenizer = openclip_files.tokenizer(files, self._models_dir)
                device = choose_device(self._device)
                self._text = _Side(self.name, tower, device, Batches(self.name, TEXT_BATCH[device]), files.dim)
        return self._text

    def _image_side(self) -> _Side:
        """The lock must be held."""
        if self._images is None:
            files = self._files()
            with openclip_files.build_errors(self.name):
                tower = openclip_files.image_tower(files)
                self._transform = openclip_files.image_transform(files, tower)
                device = choose_device(self._device)
                batches = Batches(self.name, self._batch_size or BATCH[device])
                self._images = _Side(self.name, tower, device, batches, files.dim)
        return self._images


class _Side:
    """One tower on its device, in half precision where the hardware supports that."""

    def __init__(self, name: str, tower: nn.Module, device: Device, batches: Batches, dim: int) -> None:
        import torch

        self._name = name
        self._tower = tower.to(device)
        self._device = device
        self.batches = batches
        self._dim = dim
        fast = has_fast_bf16(device)
        self._dtype = torch.bfloat16 if fast or device == "cpu" else torch.float16
        self._half = fast or device == "cuda"

    def run(self, inputs: Sequence[Tensor], threads: int) -> Iterator[Vectors]:
        """The unit vectors (n, d) of each batch in turn."""
        use_torch_threads(threads)
        return self.batches.run(inputs, self._batch)

    def _batch(self, inputs: Sequence[Tensor]) -> Vectors:
        import torch
        from torch.nn.functional import normalize

        try:
            with torch.inference_mode(), torch.autocast(self._device, dtype=self._dtype, enabled=self._half):
                found = self._tower(torch.stack(list(inputs)).to(self._device))
            pooled = found[0] if isinstance(found, tuple) else found
            vectors = normalize(pooled.float(), dim=-1).cpu().numpy()
        except (RuntimeError, ValueError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            raise ModelBroken(name=self._name, reason=str(error)) from error
        if vectors.shape != (len(inputs), self._dim) or not np.isfinite(vectors).all():
            raise ModelBroken(name=self._name, reason=f"it returned vectors of shape {vectors.shape}, or not numbers")
        return np.asarray(vectors, dtype=np.float32)


def _without_long_ends(image: Image) -> Image:
    """The middle of an image longer than MAX_ASPECT, whose shorter side would be enlarged beyond all memory."""
    height, width = image.shape[:2]
    most = min(height, width) * MAX_ASPECT
    top, left = max(0, (height - most) // 2), max(0, (width - most) // 2)
    return image[top : top + most, left : left + most] if max(height, width) > most else image


FAMILY = ModelFamily(
    name="openclip",
    kind="vision",
    make=lambda name, settings, purpose: OpenClip(
        name,
        prompts=settings.vision_prompts,
        **adapter_options(settings, "query" if purpose == "query" else "vision"),
    ),
    names=openclip_files.REPOS,
    hub=openclip_files.hub_files(lambda name: not openclip_files.is_coca(name)),
)
