"""One-line captions by an open_clip CoCa model (arXiv 2205.01917): "ARCHITECTURE/PRETRAINED", or "local-dir:PATH".

Decoding is greedy: each token is the most probable one, so that an image always gets the same caption.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.errors import ModelBroken, ModelUnavailable
from heimdex_core.models.base import Image
from heimdex_core.models.batching import Batches, is_out_of_memory
from heimdex_core.models.device import Device, choose_device, has_fast_bf16
from heimdex_core.models.family import ModelFamily, adapter_options
from heimdex_core.models.locate import folder_bytes
from heimdex_core.models.speech.segment_filter import is_loop
from heimdex_core.models.threads import use_torch_threads
from heimdex_core.models.vision import openclip_files
from heimdex_core.models.vision.openclip_files import Files

if TYPE_CHECKING:
    from torch import Tensor

BATCH: dict[Device, int] = {"cpu": 4, "cuda": 32}
MAX_TOKENS = 30
_SPECIAL_TOKENS = re.compile(r"<[^<>]*>")


class CocaCaptioner:
    """A Captioner. Loads at the first use; safe to call from many threads, which are served one at a time.

    `model` is "ARCHITECTURE/PRETRAINED" of a CoCa model in open_clip or "local-dir:PATH", else UnknownName is raised.
    The other options are those of OpenClip.
    """

    language = "en"

    def __init__(
        self,
        model: str,
        *,
        models_dir: Path | None = None,
        device: str = "auto",
        threads: int = 1,
        batch_size: int | None = None,
    ) -> None:
        self._spec = openclip_files.parse(model)
        self._models_dir = models_dir
        self._device = device
        self._threads = max(1, threads)
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._batches = Batches(self._spec.name, 1)
        self._model: Any = None
        self._transform: Any = None
        self._tokenizer: Any = None
        self._half: Any = None

    @property
    def name(self) -> str:
        """The architecture, or the name of the folder."""
        return self._spec.name

    @property
    def revision(self) -> str:
        """The commit, or a fingerprint of the files; without files the pinned commit, or "". 12 characters."""
        try:
            return self._files().revision[:12]
        except ModelUnavailable:
            pin = self._spec.pin
            return (pin.revision or "")[:12] if pin else ""

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def size_bytes(self) -> int:
        """Size of the files. Raises WeightsMissing, ModelBroken."""
        return folder_bytes(self._files().folder)

    def check(self) -> None:
        """Raise WeightsMissing or ModelBroken, without loading."""
        self._files()

    def load(self) -> None:
        """Read the weights now. Raises WeightsMissing, ModelUnavailable, ModelBroken, DeviceUnavailable."""
        with self._lock:
            self._loaded()

    def caption(self, images: Sequence[Image]) -> tuple[str, ...]:
        """One English line for each RGB image; "" where the model has nothing to say. Raises what `load` raises."""
        if not images:
            return ()
        with self._lock:
            self._loaded()
            use_torch_threads(self._threads)
            found: list[str] = []
            with ThreadPoolExecutor(1, initializer=use_torch_threads, initargs=(1,)) as pool:
                # the next images are preprocessed while the model works on the previous ones
                size = max(8, 2 * self._batches.size)
                coming = [pool.submit(self._preprocess, image) for image in images[:size]]
                for start in range(0, len(images), size):
                    ready = [future.result() for future in coming]
                    coming = [pool.submit(self._preprocess, image) for image in images[start + size : start + 2 * size]]
                    found += [line for lines in self._batches.run(ready, self._lines) for line in lines]
        return tuple(found)

    def _preprocess(self, image: Image) -> Tensor:
        from PIL import Image as PilImage

        found: Tensor = self._transform(PilImage.fromarray(np.ascontiguousarray(image)))
        return found

    def _lines(self, images: Sequence[Tensor]) -> list[str]:
        import torch

        device = next(self._model.parameters()).device.type
        try:
            with torch.inference_mode(), torch.autocast(device, dtype=self._half, enabled=self._half is not None):
                tokens = self._greedy(torch.stack(list(images)).to(device))
        except (RuntimeError, ValueError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            raise ModelBroken(name=self.name, reason=str(error)) from error
        return [self._words(row) for row in tokens.tolist()]

    def _greedy(self, images: Tensor) -> Tensor:
        """Token ids (n, length); after the end token nothing but end tokens."""
        import torch

        start, end = self._start_and_end()
        latent, embedded = self._model._encode_image(images)  # noqa: SLF001 - encode_image returns one of them
        tokens = torch.full((len(images), 1), start, dtype=torch.long, device=images.device)
        done = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        for _ in range(min(MAX_TOKENS, self._model.context_length - 2)):
            output = self._model(images, tokens, image_latent=latent, image_embs=embedded, output_labels=False)
            following = output["logits"][:, -1].argmax(dim=-1)
            following = torch.where(done, torch.full_like(following, end), following)
            done = done | (following == end)
            tokens = torch.cat([tokens, following[:, None]], dim=1)
            if bool(done.all()):
                break
        return tokens

    def _start_and_end(self) -> tuple[int, int]:
        """Ids of the tokens that begin and end a text."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return int(inner.bos_token_id), int(inner.eos_token_id)
        return int(self._tokenizer.sot_token_id), int(self._tokenizer.eot_token_id)

    def _words(self, tokens: list[int]) -> str:
        """The text of the tokens; "" for one that repeats itself, which says nothing about the image."""
        start, end = self._start_and_end()
        own = tokens[1:]
        own = [token for token in (own[: own.index(end)] if end in own else own) if token != start]
        inner = getattr(self._tokenizer, "tokenizer", self._tokenizer)
        text = " ".join(_SPECIAL_TOKENS.sub(" ", inner.decode(own)).split())
        text = re.sub(r"\s+([.,;:!?])", r"\1", text).strip(" .,")
        return "" if is_loop(text.split()) else text

    def _files(self) -> Files:
        return openclip_files.find(self._spec, self._models_dir)

    def _loaded(self) -> None:
        """The lock must be held."""
        if self._model is not None:
            return
        files, device = self._files(), choose_device(self._device)
        if "multimodal_cfg" not in files.model:
            raise ModelBroken(name=self.name, reason="it is not a CoCa model, and others cannot describe images")
        with openclip_files.build_errors(self.name):
            import torch
            from open_clip import create_model

            has_configuration = (files.folder / openclip_files.CONFIG).is_file()
            model: Any = create_model(
                f"{openclip_files.LOCAL}{files.folder}" if has_configuration else str(self._spec.architecture),
                pretrained=None if has_configuration else str(files.weights),
                require_pretrained=True,
                weights_only=True,
                device=device,
            )
            self._transform = openclip_files.image_transform(files, model.visual)
            self._tokenizer = openclip_files.tokenizer(files, self._models_dir)
            fast = has_fast_bf16(device)
            self._half = torch.bfloat16 if fast else torch.float16 if device == "cuda" else None
            self._batches = Batches(self.name, self._batch_size or BATCH[device])
        self._model = model.eval().requires_grad_(False)


FAMILY = ModelFamily(
    name="openclip",
    kind="caption",
    make=lambda name, settings, purpose: CocaCaptioner(name, **adapter_options(settings, "vision")),
    names={},
    hub=openclip_files.hub_files(openclip_files.is_coca),
)
