"""Finding the files of open_clip models, and reading one tower at a time from them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.errors import ModelBroken, ModelFolderUnusable, ModelUnavailable, UnknownName, WeightsMissing
from heimdex_core.models import locate
from heimdex_core.models.base import Image
from heimdex_core.models.family import HubFiles, first_matching, is_repository, matching, unknown_name
from heimdex_core.models.locate import Repository

if TYPE_CHECKING:
    from torch import Tensor, nn

LOCAL = "local-dir:"
MAX_ASPECT = 4
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
    # those of the profiles, so that their names are known without importing open_clip
    "ViT-B-16-SigLIP2/webli": "timm/ViT-B-16-SigLIP2",
    "ViT-SO400M-14-SigLIP/webli": "timm/ViT-SO400M-14-SigLIP",
}
PINNED = {
    repo: Repository(
        repo,
        (CONFIG, "open_clip_model.safetensors", *TOKENIZER),
        revision=revision,
        licence="Apache-2.0",
        size_bytes=size_bytes,
        dim=dim,
    )
    for repo, revision, size_bytes, dim in (
        ("timm/ViT-B-16-SigLIP2", "eee10eff6dd8cabae2d7f379d4e8cfcd352030aa", 1_535_000_000, 768),
        ("timm/ViT-SO400M-14-SigLIP", "c85ba2402be4b49b5d178f2e2384fdf50f8c7961", 3_515_000_000, 1152),
    )
}


@dataclass(frozen=True)
class Spec:
    """A model that was asked for: a folder, or a repository with the name of the weights if it has several models."""

    name: str
    asked: str
    folder: Path | None = None
    repo: str | None = None
    file: str | None = None
    architecture: str | None = None
    tag: str | None = None

    @property
    def pin(self) -> Repository | None:
        """The pinned repository, where it is one."""
        return PINNED.get(self.repo or "")


@dataclass(frozen=True)
class Files(locate.Weights):
    """A model on this machine. The configurations have open_clip's format."""

    spec: Spec
    weights: Path
    model: Mapping[str, Any]
    preprocess: Mapping[str, Any]

    @property
    def text(self) -> Mapping[str, Any]:
        """Configuration of the text tower."""
        return self.model.get("text_cfg", {})

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.model["embed_dim"])


def parse(asked: str) -> Spec:
    """The model that is named "ARCHITECTURE/PRETRAINED" as in open_clip, or "local-dir:PATH".

    Raises UnknownName, with similar names, for anything else; ModelUnavailable for a model that is on no hub.
    """
    if asked.startswith(LOCAL):
        folder = Path(asked.removeprefix(LOCAL)).expanduser()
        return Spec(folder.name, asked, folder=folder)
    architecture, _, tag = asked.rpartition("/")
    if asked in REPOS:
        return Spec(architecture, asked, repo=REPOS[asked], architecture=architecture, tag=tag)
    known = pretrained()
    found = known.get(_pretrained_key(architecture, tag))
    if found is None:
        raise unknown_name("vision model", asked, (f"{name}/{tag}" for name, tag in known))
    place = str(found.get("hf_hub") or "")
    if not place:
        raise ModelUnavailable(
            name=asked, reason="it is on no model hub; download it and name its folder, local-dir:PATH"
        )
    repo, _, file = place.rpartition("/")
    return Spec(architecture, asked, repo=repo, file=file or None, architecture=architecture, tag=tag)


def find(spec: Spec, models_dir: Path | None) -> Files:
    """The files of a model. Raises WeightsMissing, ModelBroken."""
    names = weight_names(spec.file)
    if spec.folder is not None:
        found = locate.at(spec.folder, (names, (CONFIG,)), name=spec.asked)
    else:
        found = _find_repo(spec.repo or "", (names,), spec.asked, models_dir)
    weights = next(path for name in names if (path := found.folder / name).is_file())
    model, preprocess = _configuration(found.folder, spec)
    return Files(found.folder, found.revision, spec, weights, model, preprocess)


def other_repos(spec: Spec) -> dict[str, tuple[str, ...]]:
    """Further repositories that open_clip's architecture refers to, with the files that are needed of each."""
    if not spec.architecture or not spec.repo:
        return {}
    try:
        text = _built_in(spec.architecture)["text_cfg"]
    except (UnknownName, ModelUnavailable):
        return {}  # one of REPOS; its own configuration states what it needs
    found: dict[str, tuple[str, ...]] = {}
    for key, files in (("hf_model_name", ("config.json",)), ("hf_tokenizer_name", TOKENIZER)):
        repo = str(text.get(key) or "")
        if "/" in repo and repo != spec.repo:
            found[repo] = (*found.get(repo, ()), *files)
    return found


# --- for the families -----------------------------------------------------------------------------


def is_coca(name: str) -> bool:
    """Whether a name is that of a CoCa model, which writes captions."""
    return name.startswith("coca")


def hub_files(accepts: Callable[[str], bool]) -> HubFiles:
    """The files of the open_clip models whose names are accepted."""
    return HubFiles(
        repositories=_repositories,
        find=_find_with_tokenizer,
        select=_select,
        needs=lambda file: (weight_names(file),),
        recognises=lambda names: CONFIG in names or bool({*names} & {*WEIGHTS} - {"model.safetensors"}),
        accepts=accepts,
        lists=lambda name: accepts(name) and _is_listed(name),
        folder_prefix=LOCAL,
    )


def _is_listed(name: str) -> bool:
    architecture, _, tag = name.rpartition("/")
    # importing open_clip takes seconds, and most repositories are not named like an architecture
    return _built_in_path(architecture).is_file() and _pretrained_key(architecture, tag) in pretrained()


def weight_names(file: str | None) -> tuple[str, ...]:
    """Names that the weights may have, safetensors before torch's format; `file` is a name of their own."""
    own = [f"{Path(file).stem}.safetensors", file] if file else []
    return tuple(sorted(dict.fromkeys([*own, *WEIGHTS]), key=lambda name: not name.endswith(".safetensors")))


def _repositories(name: str) -> tuple[Repository, ...]:
    if name.startswith(LOCAL):
        return ()
    spec = parse(name)
    if spec.pin:
        return (spec.pin,)
    # an architecture of transformers is described by its own repository; a mere tokenizer may be beside the weights
    others = (
        Repository(repo, files, unless="" if "config.json" in files else "tokenizer.json")
        for repo, files in other_repos(spec).items()
    )
    return (Repository(spec.repo or "", file=spec.file), *others)


def _find_with_tokenizer(name: str, models_dir: Path | None) -> locate.Weights:
    files = find(parse(name), models_dir)
    tokenizer_folder(files, models_dir)
    return files


def _select(names: Sequence[str], file: str | None) -> set[str]:
    found = matching(names, (CONFIG, *TOKENIZER, "config.json", "vocab.*", "merges.txt"))
    return found | first_matching(names, weight_names(file))


# --- towers ---------------------------------------------------------------------------------------


def text_tower(files: Files, models_dir: Path | None) -> nn.Module:
    """The text tower alone, without reading weights of the image tower. Raises ModelBroken, WeightsMissing."""
    from open_clip.model import _build_text_tower, convert_to_custom_text_state_dict

    config = dict(files.text)
    if config.get("hf_model_name"):
        # an architecture from another repository: its configuration is enough, the weights are in ours
        base = _find_repo(config["hf_model_name"], (("config.json",),), files.spec.asked, models_dir)
        config |= {"hf_model_name": str(base.folder), "hf_model_pretrained": False}
    tower = _build_text_tower(files.dim, config, quick_gelu=_quick_gelu(files))
    state = _read(files, lambda key: not key.startswith("visual."))
    if "positional_embedding" in state:
        state = convert_to_custom_text_state_dict(state)
    return _fill(files, tower, state, "text.")


def image_tower(files: Files) -> nn.Module:
    """The image tower alone. Raises ModelBroken."""
    from open_clip.model import _build_vision_tower

    config = {**files.model["vision_cfg"], "timm_model_pretrained": False}
    tower = _build_vision_tower(files.dim, config, quick_gelu=_quick_gelu(files))
    return _fill(files, tower, _read(files, lambda key: key.startswith("visual.")), "visual.")


def image_transform(files: Files, module: nn.Module) -> Callable[[Image], Tensor]:
    """The transform from an RGB image to the input tensor of `module`, an image tower."""
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image as Pillow

    size = getattr(module, "image_size", files.model["vision_cfg"].get("image_size", 224))
    transform: Any = image_transform_v2(PreprocessCfg(**{**files.preprocess, "size": size}), is_train=False)

    def to_tensor(image: Image) -> Tensor:
        found: Tensor = transform(Pillow.fromarray(np.ascontiguousarray(without_long_ends(image))))
        return found

    return to_tensor


def without_long_ends(image: Image) -> Image:
    """The middle of an image longer than MAX_ASPECT, whose shorter side would be enlarged beyond all memory."""
    height, width = image.shape[:2]
    most = min(height, width) * MAX_ASPECT
    top, left = max(0, (height - most) // 2), max(0, (width - most) // 2)
    return image[top : top + most, left : left + most] if max(height, width) > most else image


def logit_scale(files: Files) -> float:
    """The factor by which similarities are multiplied before they are compared as probabilities."""
    state = _read(files, lambda key: key == "logit_scale")
    if not state:
        raise ModelBroken(name=files.spec.name, reason=f"{files.weights.name} has no logit_scale")
    return float(state["logit_scale"].float().exp().reshape(()).item())


def tokenizer(files: Files, models_dir: Path | None) -> Any:
    """open_clip's own tokenizer: texts to token ids (n, context length). Never uses the network."""
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
    """The folder with tokenizer.json; None for models that use the one in open_clip. Raises WeightsMissing."""
    repo = str(files.text.get("hf_tokenizer_name") or "")
    if not repo and "siglip" not in files.spec.name.lower():
        return None
    if (files.folder / "tokenizer.json").is_file():
        return files.folder
    reason = f"tokenizer.json is missing from {files.folder}"
    try:
        if "/" not in repo:
            raise WeightsMissing(name=files.spec.asked, reason=reason)
        return _find_repo(repo, (("tokenizer.json",),), files.spec.asked, models_dir).folder
    except WeightsMissing as error:
        if files.spec.folder is None:
            raise
        raise ModelFolderUnusable(name=files.spec.asked, reason=reason) from error


# --- details --------------------------------------------------------------------------------------


def _find_repo(repo: str, needs: locate.Needs, name: str, models_dir: Path | None) -> locate.Weights:
    if not is_repository(repo):
        raise WeightsMissing(name=name, reason=f"{repo} is the name of no repository")
    revision = PINNED[repo].revision if repo in PINNED else None
    return locate.find(repo, needs, name=name, models_dir=models_dir, revision=revision)


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
    """The tower for inference, with every weight read and none left over."""
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    # written by older versions of transformers; not a weight
    own.pop("transformer.embeddings.position_ids", None)
    try:
        tower.load_state_dict(own, strict=True)
    except RuntimeError as error:
        reason = str(error).replace("\n", " ")
        raise ModelBroken(name=files.spec.name, reason=f"{files.weights.name}: {reason[:300]}") from error
    return tower.eval().requires_grad_(False)


def _configuration(folder: Path, spec: Spec) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(model_cfg, preprocess_cfg) of the folder, else those that open_clip has for the name."""
    config = locate.read_json(folder / CONFIG, spec.name)
    if config is not None:
        try:
            model = config["model_cfg"]
            _ = int(model["embed_dim"]), model["vision_cfg"], model["text_cfg"]
            if ":" in str(model["vision_cfg"].get("timm_model_name")):  # timm would ask the hub for it
                raise ModelBroken(name=spec.name, reason=f"{CONFIG} refers to another repository")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelBroken(name=spec.name, reason=f"{CONFIG} cannot be read ({error!r})") from error
        return model, config.get("preprocess_cfg", {})
    tag = pretrained().get(_pretrained_key(spec.architecture or "", spec.tag or ""), {})
    keys = ("mean", "std", "interpolation", "resize_mode")
    model = _built_in(spec.architecture or "")
    return {**model, "quick_gelu": bool(tag.get("quick_gelu"))}, {key: tag[key] for key in keys if key in tag}


def _quick_gelu(files: Files) -> bool:
    return bool(files.model.get("quick_gelu", False))


@lru_cache(maxsize=32)
def _built_in(architecture: str) -> dict[str, Any]:
    """open_clip's configuration of an architecture, read without importing open_clip."""
    path = _built_in_path(architecture)
    if not path.is_file():
        raise UnknownName(kind="vision model", name=architecture, known="those of open_clip.list_models()")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _built_in_path(architecture: str) -> Path:
    return locate.package_folder("open_clip", name=architecture) / "model_configs" / f"{architecture}.json"


def _pretrained_key(architecture: str, tag: str) -> tuple[str, str]:
    return architecture, tag.lower().replace("-", "_")


def pretrained() -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """open_clip's pretrained models by (architecture, tag). Raises ModelUnavailable if it is not installed."""
    try:
        from open_clip.pretrained import get_pretrained_cfg, list_pretrained
    except ImportError as error:
        raise ModelUnavailable(name="open_clip", reason=str(error)) from error
    return {(name, tag): get_pretrained_cfg(name, tag) for name, tag in list_pretrained()}
