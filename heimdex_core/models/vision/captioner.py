"""One line about a picture by an open_clip CoCa model: "name/pretrained", or "local-dir:PATH".

Words are chosen one by one, always the likeliest (greedy decoding), so that a picture always gets the
same line. CoCa: arXiv 2205.01917.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.errors import HeimdexError, ModelBroken, ModelUnavailable
from heimdex_core.models import locate as where
from heimdex_core.models.base import Image
from heimdex_core.models.batching import Batches, is_out_of_memory
from heimdex_core.models.device import Device, choose_device, has_fast_bf16
from heimdex_core.models.speech.segment_filter import is_loop
from heimdex_core.models.threads import use_torch_threads
from heimdex_core.models.vision import openclip_files
from heimdex_core.models.vision.openclip_files import Files
from heimdex_core.models.weights import folder_bytes

if TYPE_CHECKING:
    from torch import Tensor

BATCH: dict[Device, int] = {"cpu": 4, "cuda": 32}
MOST_TOKENS = 30
_MARKS = re.compile(r"<[^<>]*>")


class CocaCaptioner:
    """A Captioner. Loads at the first use; safe to call from many threads, one at a time is served."""

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
        """Reads no weights. UnknownName for a model that open_clip does not know."""
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
        return self._spec.name

    @property
    def revision(self) -> str:
        """The commit or the files' fingerprint; where there are no files, the commit that is wanted, or ""."""
        try:
            return self._files().revision[:12]
        except ModelUnavailable:
            pin = where.PINNED.get(self._spec.repo or "")
            return (pin.revision or "")[:12] if pin else ""

    @property
    def licence(self) -> str:
        pin = where.PINNED.get(self._spec.repo or "")
        return pin.licence if pin else "see the model's page"

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def size_bytes(self) -> int:
        return folder_bytes(self._files().folder)

    def check(self) -> None:
        """Raise WeightsMissing or ModelBroken, without loading."""
        self._files()

    def load(self) -> None:
        """Read the weights now. Raises WeightsMissing, ModelUnavailable, ModelBroken, DeviceUnavailable."""
        with self._lock:
            self._loaded()

    def caption(self, images: Sequence[Image]) -> tuple[str, ...]:
        """One English line for each RGB picture; "" where the model found nothing to say."""
        if not images:
            return ()
        with self._lock:
            self._loaded()
            use_torch_threads(self._threads)
            found: list[str] = []
            with ThreadPoolExecutor(1, initializer=use_torch_threads, initargs=(1,)) as pool:
                # the next pictures are made ready while the model works on the ones before
                size = max(8, 2 * self._batches.size)
                coming = [pool.submit(self._make_ready, image) for image in images[:size]]
                for start in range(0, len(images), size):
                    ready = [future.result() for future in coming]
                    coming = [pool.submit(self._make_ready, image) for image in images[start + size : start + 2 * size]]
                    found += [line for lines in self._batches.run(ready, self._lines) for line in lines]
        return tuple(found)

    def _make_ready(self, image: Image) -> Tensor:
        from PIL import Image as Pictures

        found: Tensor = self._transform(Pictures.fromarray(np.ascontiguousarray(image)))
        return found

    def _lines(self, pictures: Sequence[Tensor]) -> list[str]:
        import torch

        device = next(self._model.parameters()).device.type
        try:
            with torch.inference_mode(), torch.autocast(device, dtype=self._half, enabled=self._half is not None):
                tokens = self._greedy(torch.stack(list(pictures)).to(device))
        except (RuntimeError, ValueError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            raise ModelBroken(name=self.name, reason=str(error)) from error
        return [self._words(row) for row in tokens.tolist()]

    def _greedy(self, pictures: Tensor) -> Tensor:
        """(n, length) token ids; after the end mark nothing but end marks."""
        import torch

        start, end = self._marks()
        latent, embedded = self._model._encode_image(pictures)
        tokens = torch.full((len(pictures), 1), start, dtype=torch.long, device=pictures.device)
        done = torch.zeros(len(pictures), dtype=torch.bool, device=pictures.device)
        for _ in range(min(MOST_TOKENS, self._model.context_length - 2)):
            output = self._model(pictures, tokens, image_latent=latent, image_embs=embedded, output_labels=False)
            following = output["logits"][:, -1].argmax(dim=-1)
            following = torch.where(done, torch.full_like(following, end), following)
            done = done | (following == end)
            tokens = torch.cat([tokens, following[:, None]], dim=1)
            if bool(done.all()):
                break
        return tokens

    def _marks(self) -> tuple[int, int]:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return int(inner.bos_token_id), int(inner.eos_token_id)
        return int(self._tokenizer.sot_token_id), int(self._tokenizer.eot_token_id)

    def _words(self, tokens: list[int]) -> str:
        """The line in words; a model that goes round in circles has said nothing."""
        start, end = self._marks()
        own = tokens[1:]
        own = [token for token in (own[: own.index(end)] if end in own else own) if token != start]
        inner = getattr(self._tokenizer, "tokenizer", self._tokenizer)
        text = " ".join(_MARKS.sub(" ", inner.decode(own)).split())
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
            raise ModelBroken(name=self.name, reason="it is no CoCa model and cannot describe pictures")
        try:
            import torch
            from open_clip import create_model
            from open_clip.transform import PreprocessCfg, image_transform_v2

            has_configuration = (files.folder / openclip_files.CONFIG).is_file()
            model: Any = create_model(
                f"{openclip_files.LOCAL}{files.folder}" if has_configuration else str(self._spec.architecture),
                pretrained=None if has_configuration else str(files.weights),
                require_pretrained=True,
                weights_only=True,
                device=device,
            )
            size = getattr(model.visual, "image_size", 224)
            self._transform = image_transform_v2(PreprocessCfg(**{**files.preprocess, "size": size}), is_train=False)
            self._tokenizer = openclip_files.tokenizer(files, self._models_dir)
            fast = has_fast_bf16(device)
            self._half = torch.bfloat16 if fast else torch.float16 if device == "cuda" else None
            self._batches = Batches(self.name, self._batch_size or BATCH[device])
        except ImportError as error:
            raise ModelUnavailable(name=self.name, reason=str(error)) from error
        except HeimdexError:
            raise
        except Exception as error:  # open_clip, safetensors and pickle each raise their own
            raise ModelBroken(name=self.name, reason=str(error) or repr(error)) from error
        self._model = model.eval().requires_grad_(False)
