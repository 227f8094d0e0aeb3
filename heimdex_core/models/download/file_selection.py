"""Which files of a repository a model needs: safetensors where there are any, else torch's format, nothing else.

Torch's format is a pickle; the adapters read it weights only. Other pickles are never downloaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from heimdex_core.errors import ModelUnsuited
from heimdex_core.models import locate as where
from heimdex_core.models.catalogue import Wanted
from heimdex_core.models.download.hub import Listing, RemoteFile
from heimdex_core.models.speech.whisper import NEEDS as WHISPER_NEEDS
from heimdex_core.models.text.sentence import NEEDS as SENTENCE_NEEDS
from heimdex_core.models.vision import openclip_files

_SPEECH = ("config.json", "model.bin", "tokenizer.json", "vocabulary.*", "preprocessor_config.json")
_TEXT = ("*.json", "*.txt", "*.model", "[0-9]*_*/config.json")
_TEXT_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors", "pytorch_model.bin", "pytorch_model-*-of-*.bin")
_VISION = (openclip_files.CONFIG, *openclip_files.TOKENIZER, "config.json", "vocab.*", "merges.txt")


def pick(listing: Listing, wanted: Wanted) -> tuple[str, tuple[RemoteFile, ...]]:
    """(kind, files) of what is needed. Raises ModelUnsuited where the repository has no model of this kind."""
    names = [file.path for file in listing.files]
    kind = wanted.kind or _kind(names)
    chosen = _matching(names, wanted.files) if wanted.files else _by_kind(kind, names, wanted.file)
    if not wanted.unless and _is_main(wanted):
        _check(listing, kind, chosen, wanted)
    return kind, tuple(file for file in listing.files if file.path in chosen)


def _by_kind(kind: str, names: list[str], file: str | None) -> set[str]:
    if kind == "speech":
        return _matching(names, _SPEECH)
    if kind == "text":
        found = _matching(names, _TEXT)
        for folder in {name.rpartition("/")[0] for name in found}:
            found |= _first(names, [f"{folder}/{one}" if folder else one for one in _TEXT_WEIGHTS])
        return found
    return _matching(names, _VISION) | _first(names, openclip_weights(file))


def openclip_weights(file: str | None) -> list[str]:
    """Names of the weights, the best first: safetensors before what torch reads."""
    own = [f"{Path(file).stem}.safetensors", file] if file else []
    names = [*own, *openclip_files.WEIGHTS]
    return sorted(dict.fromkeys(names), key=lambda name: not name.endswith(".safetensors"))


def _kind(names: list[str]) -> str:
    top = {name for name in names if "/" not in name}
    if "model.bin" in top and any(name.startswith("vocabulary.") for name in top):
        return "speech"
    if openclip_files.CONFIG in top or top & set(openclip_files.WEIGHTS) - {"model.safetensors"}:
        return "vision"
    return "text"


def _matching(names: Iterable[str], patterns: Sequence[str]) -> set[str]:
    """Names that a pattern fits; a star does not reach into folders."""
    return {name for name in names for pattern in patterns if _fits(name, pattern)}


def _fits(name: str, pattern: str) -> bool:
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatchcase(*pair) for pair in zip(parts, wanted, strict=True))


def _first(names: list[str], patterns: Sequence[str]) -> set[str]:
    """What the first pattern that fits anything fits."""
    return next((found for pattern in patterns if (found := _matching(names, (pattern,)))), set())


def _is_main(wanted: Wanted) -> bool:
    return not wanted.files or wanted.repo in where.PINNED


def _check(listing: Listing, kind: str, chosen: set[str], wanted: Wanted) -> None:
    needs: where.Needs = {
        "speech": WHISPER_NEEDS,
        "text": SENTENCE_NEEDS,
    }.get(kind, (openclip_weights(wanted.file),))
    for names in needs:
        if not chosen & set(names):
            reason = f"it has no {' or '.join(names[:3])}"
            raise ModelUnsuited(repo=listing.repo, reason=reason)
