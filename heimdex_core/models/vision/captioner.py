"""One-line captions by an open_clip CoCa model (arXiv 2205.01917): "ARCHITECTURE/PRETRAINED", or "local-dir:PATH".

Decoding is greedy: each token is the most probable one, so that an image always gets the same caption.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from heimdex_core.errors import ModelBroken
from heimdex_core.models.base import Image, LazyModel, ModelOptions, loading_errors
from heimdex_core.models.device import Batches, Device, choose_device, half_precision
from heimdex_core.models.family import ModelFamily, adapter_options
from heimdex_core.models.speech.segment_filter import is_loop
from heimdex_core.models.threads import use_torch_threads
from heimdex_core.models.vision import openclip_files
from heimdex_core.models.vision.openclip import ImagePool
from heimdex_core.models.vision.openclip_files import Files

if TYPE_CHECKING:
    from torch import Tensor

BATCH: dict[Device, int] = {"cpu": 4, "cuda": 32}
MAX_TOKENS = 30
_SPECIAL_TOKENS = re.compile(r"<[^<>]*>")


class CocaCaptioner(LazyModel[Files, Any]):
    """A Captioner. `model` is as for OpenClip, but of a CoCa model."""

    language = "en"

    def __init__(self, model: str, **options: Unpack[ModelOptions]) -> None:
        self._spec = openclip_files.parse(model)
        super().__init__(self._spec.name, self._spec.pin, **options)
        self._tokenizer: Any = None
        self._transform: Any = None
        self._pool = ImagePool(1)

    @property
    def revision(self) -> str:
        """As for every model, of 12 characters."""
        return super().revision[:12]

    def caption(self, images: Sequence[Image]) -> tuple[str, ...]:
        """One English line for each RGB image; "" where the model has nothing to say. Raises what `load` raises."""
        if not images:
            return ()
        with self._lock:
            self._loaded()
            use_torch_threads(self._threads)
            blocks = self._pool.blocks(images, self._transform, self._batches.size)
            found = [line for block in blocks for lines in self._batches.run(block, self._lines) for line in lines]
        return tuple(found)

    def _lines(self, images: Sequence[Tensor]) -> list[str]:
        import torch

        device = next(self._loaded().parameters()).device.type
        with torch.inference_mode(), half_precision(device):
            tokens = self._greedy(torch.stack(list(images)).to(device))
        return [self._words(row) for row in tokens.tolist()]

    def _greedy(self, images: Tensor) -> Tensor:
        """Token ids (n, length); after the end token nothing but end tokens."""
        import torch

        model = self._loaded()
        start, end = self._start_and_end()
        latent, embedded = model._encode_image(images)  # noqa: SLF001 - encode_image returns one of them
        tokens = torch.full((len(images), 1), start, dtype=torch.long, device=images.device)
        done = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        for _ in range(min(MAX_TOKENS, model.context_length - 2)):
            output = model(images, tokens, image_latent=latent, image_embs=embedded, output_labels=False)
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

    def _find(self) -> Files:
        return openclip_files.find(self._spec, self._models_dir)

    def _check(self, found: Files) -> None:
        if "multimodal_cfg" not in found.model:
            raise ModelBroken(name=self.name, reason="it is not a CoCa model, and others cannot describe images")
        if found.text.get("hf_model_name"):  # open_clip would ask the hub for it
            raise ModelBroken(name=self.name, reason=f"{openclip_files.CONFIG} refers to another repository")

    def _read(self, found: Files) -> Any:
        device = choose_device(self._device)
        with loading_errors(self.name):
            from open_clip import create_model

            has_configuration = (found.folder / openclip_files.CONFIG).is_file()
            model: Any = create_model(
                f"{openclip_files.LOCAL}{found.folder}" if has_configuration else str(self._spec.architecture),
                pretrained=None if has_configuration else str(found.weights),
                require_pretrained=True,
                weights_only=True,
                device=device,
            )
            self._transform = openclip_files.image_transform(found, model.visual)
            self._tokenizer = openclip_files.tokenizer(found, self._models_dir)
        self._batches = Batches(self.name, self._batch_size or BATCH[device])
        return model.eval().requires_grad_(False)


FAMILY = ModelFamily(
    name="openclip",
    kind="caption",
    make=lambda name, settings, purpose: CocaCaptioner(name, **adapter_options(settings, purpose, "vision")),
    names={},
    hub=openclip_files.hub_files(openclip_files.is_coca),
)
