"""Finding an open_clip model's files and reading one tower at a time from them."""

from __future__ import annotations

import importlib.util
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import ModelBroken, ModelFolderUnusable, ModelUnavailable, UnknownName, WeightsMissing
from heimdex_core.models import locate as where

if TYPE_CHECKING:
    from torch import Tensor, nn

LOCAL = "local-dir:"
CONFIG = "open_clip_config.json"
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)
TOKENIZER = ("tokenizer*.json", "special_tokens_map.json")
REPOS = {
    # those of the profiles, so that naming them needs no import of open_clip
    "ViT-B-16-SigLIP2/webli": "timm/ViT-B-16-SigLIP2",
    "ViT-SO400M-14-SigLIP/webli": "timm/ViT-SO400M-14-SigLIP",
}


@dataclass(frozen=True)
class Spec:
    """What a person asked for: a folder, or a repository (with the file in it, where it has a name of its own)."""

    name: str
    asked: str
    folder: Path | None = None
    repo: str | None = None
    file: str | None = None
    architecture: str | None = None
    tag: str | None = None


@dataclass(frozen=True)
class Files:
    """A model that is on this machine. The configurations are open_clip's."""

    spec: Spec
    folder: Path
    revision: str
    weights: Path
    model: Mapping[str, Any]
    preprocess: Mapping[str, Any]

    @property
    def text(self) -> Mapping[str, Any]:
        return self.model.get("text_cfg", {})

    @property
    def dim(self) -> int:
        return int(self.model["embed_dim"])


def parse(asked: str) -> Spec:
    """Reads "name/pretrained" or "local-dir:PATH". UnknownName, with the nearest names, for anything else."""
    if asked.startswith(LOCAL):
        folder = Path(asked.removeprefix(LOCAL)).expanduser()
        return Spec(folder.name, asked, folder=folder)
    architecture, _, tag = asked.rpartition("/")
    if asked in REPOS:
        return Spec(architecture, asked, repo=REPOS[asked], architecture=architecture, tag=tag)
    known = pretrained()
    found = known.get((architecture, tag.lower().replace("-", "_")))
    if found is None:
        raise where.unknown("vision model", asked, (f"{name}/{tag}" for name, tag in known))
    place = str(found.get("hf_hub") or "")
    if not place:
        raise ModelUnavailable(
            name=asked, reason="it is on no model hub; download it and name its folder, local-dir:PATH"
        )
    repo, _, file = place.rpartition("/")
    return Spec(architecture, asked, repo=repo, file=file or None, architecture=architecture, tag=tag)


def find(spec: Spec, models_dir: Path | None) -> Files:
    """Raises WeightsMissing, ModelBroken."""
    own = (f"{Path(spec.file).stem}.safetensors", spec.file) if spec.file else ()
    names = (*own, *WEIGHTS)
    if spec.folder is not None:
        found = where.at(spec.folder, (names, (CONFIG,)), name=spec.asked)
    else:
        found = where.find(spec.repo or "", (names,), name=spec.asked, models_dir=models_dir)
    weights = next(path for name in names if (path := found.folder / name).is_file())
    model, preprocess = _configuration(found.folder, spec)
    return Files(spec, found.folder, found.revision, weights, model, preprocess)


def stated_dim(spec: Spec) -> int | None:
    """Width of the vectors where the weights are not there but the architecture is known."""
    pin = where.PINNED.get(spec.repo or "")
    if pin and pin.dim:
        return pin.dim
    return int(_built_in(spec.architecture)["embed_dim"]) if spec.architecture else None


def other_repos(spec: Spec) -> dict[str, tuple[str, ...]]:
    """Further repositories that open_clip's architecture refers to, and the files that are needed of each."""
    if not spec.architecture or not spec.repo:
        return {}
    try:
        text = _built_in(spec.architecture)["text_cfg"]
    except (UnknownName, ModelUnavailable):
        return {}  # a name of ours; its own configuration says what it needs
    found: dict[str, tuple[str, ...]] = {}
    for key, files in (("hf_model_name", ("config.json",)), ("hf_tokenizer_name", TOKENIZER)):
        repo = str(text.get(key) or "")
        if "/" in repo and repo != spec.repo:
            found[repo] = (*found.get(repo, ()), *files)
    return found


# --- towers ---------------------------------------------------------------------------------------


def text_tower(files: Files, models_dir: Path | None) -> nn.Module:
    """The text side alone: no picture weights are read. Raises ModelBroken, WeightsMissing."""
    from open_clip.model import _build_text_tower, convert_to_custom_text_state_dict

    config = dict(files.text)
    if config.get("hf_model_name"):
        # another repository's architecture: its configuration is enough, the weights are in ours
        base = where.find(config["hf_model_name"], (("config.json",),), name=files.spec.asked, models_dir=models_dir)
        config |= {"hf_model_name": str(base.folder), "hf_model_pretrained": False}
    tower = _build_text_tower(files.dim, config, quick_gelu=_quick_gelu(files))
    state = _read(files, lambda key: not key.startswith("visual."))
    if "positional_embedding" in state:
        state = convert_to_custom_text_state_dict(state)
    return _fill(files, tower, state, "text.")


def image_tower(files: Files) -> nn.Module:
    """The picture side alone. Raises ModelBroken."""
    from open_clip.model import _build_vision_tower

    config = {**files.model["vision_cfg"], "timm_model_pretrained": False}
    tower = _build_vision_tower(files.dim, config, quick_gelu=_quick_gelu(files))
    return _fill(files, tower, _read(files, lambda key: key.startswith("visual.")), "visual.")


def logit_scale(files: Files) -> float:
    """By what similarities are multiplied before they are compared as probabilities."""
    state = _read(files, lambda key: key == "logit_scale")
    if not state:
        raise ModelBroken(name=files.spec.name, reason=f"{files.weights.name} has no logit_scale")
    return float(state["logit_scale"].float().exp().reshape(()).item())


def tokenizer(files: Files, models_dir: Path | None) -> Any:
    """open_clip's own tokenizer: (texts) -> (n, context) token ids. Never asks a hub."""
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    config = files.text
    length = int(config.get("context_length", 77))
    options = dict(config.get("tokenizer_kwargs", {}))
    folder = tokenizer_folder(files, models_dir)
    if folder is None:
        return SimpleTokenizer(context_length=length, **options)
    try:
        return HFTokenizer(str(folder), context_length=length, tokenizer_mode=config.get("tokenizer_mode"), **options)
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelBroken(name=files.spec.name, reason=f"its tokenizer cannot be read ({error})") from error


def tokenizer_folder(files: Files, models_dir: Path | None) -> Path | None:
    """Where tokenizer.json is; None for models that use open_clip's bundled one. Raises WeightsMissing."""
    repo = str(files.text.get("hf_tokenizer_name") or "")
    if not repo and "siglip" not in files.spec.name.lower():
        return None
    if (files.folder / "tokenizer.json").is_file():
        return files.folder
    reason = f"tokenizer.json is missing from {files.folder}"
    try:
        if "/" not in repo:
            raise WeightsMissing(name=files.spec.asked, reason=reason)
        return where.find(repo, (("tokenizer.json",),), name=files.spec.asked, models_dir=models_dir).folder
    except WeightsMissing as error:
        if files.spec.folder is None:
            raise
        raise ModelFolderUnusable(name=files.spec.asked, reason=reason) from error


# --- details --------------------------------------------------------------------------------------


def _read(files: Files, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The tensors whose names are wanted; the others stay on the disk."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        if files.weights.suffix == ".safetensors":
            with safe_open(files.weights, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys() if wanted(key)}  # noqa: SIM118 - no mapping
        loaded = torch.load(files.weights, map_location="cpu", weights_only=True, mmap=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelBroken(name=files.spec.name, reason=f"{files.weights.name}: {error}") from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    plain = {key.removeprefix("module."): value for key, value in state.items()}
    return {key: value for key, value in plain.items() if wanted(key)}


def _fill(files: Files, tower: nn.Module, state: Mapping[str, Tensor], prefix: str) -> nn.Module:
    """The tower with every weight read and none left over, ready to be asked."""
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    # written by older versions of transformers, no weight
    own.pop("transformer.embeddings.position_ids", None)
    try:
        tower.load_state_dict(own, strict=True)
    except RuntimeError as error:
        reason = str(error).replace("\n", " ")
        raise ModelBroken(name=files.spec.name, reason=f"{files.weights.name}: {reason[:300]}") from error
    return tower.eval().requires_grad_(False)


def _configuration(folder: Path, spec: Spec) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(model_cfg, preprocess_cfg) of the folder, else those that open_clip has for the name."""
    path = folder / CONFIG
    if path.is_file():
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            model = config["model_cfg"]
            _ = int(model["embed_dim"]), model["vision_cfg"], model["text_cfg"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelBroken(name=spec.name, reason=f"{CONFIG} cannot be read ({error!r})") from error
        return model, config.get("preprocess_cfg", {})
    tag = pretrained().get((spec.architecture or "", (spec.tag or "").lower().replace("-", "_")), {})
    keys = ("mean", "std", "interpolation", "resize_mode")
    model = _built_in(spec.architecture or "")
    return {**model, "quick_gelu": bool(tag.get("quick_gelu"))}, {key: tag[key] for key in keys if key in tag}


def _quick_gelu(files: Files) -> bool:
    return bool(files.model.get("quick_gelu", False))


@lru_cache(maxsize=32)
def _built_in(architecture: str) -> dict[str, Any]:
    """open_clip's configuration of an architecture, read without importing open_clip."""
    package = importlib.util.find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        raise ModelUnavailable(name=architecture, reason="the package open_clip_torch is not installed")
    path = Path(package.submodule_search_locations[0]) / "model_configs" / f"{architecture}.json"
    if not path.is_file():
        raise UnknownName(kind="vision model", name=architecture, known="those of open_clip.list_models()")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def pretrained() -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """(architecture, tag) -> open_clip's entry."""
    try:
        from open_clip.pretrained import get_pretrained_cfg, list_pretrained
    except ImportError as error:
        raise ModelUnavailable(name="open_clip", reason=str(error)) from error
    return {(name, tag): get_pretrained_cfg(name, tag) for name, tag in list_pretrained()}
