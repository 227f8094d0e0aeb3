"""Files of a model: read only when they are the ones that were tried, and what is wrong with them said in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heimdex_core import files
from heimdex_core.errors import ModelBroken, ModelUnavailable


def check_files(name: str, folder: Path, sha256: Mapping[str, str]) -> None:
    """Raise ModelUnavailable where a file of `sha256` (name -> hex digest) is missing, ModelBroken where it differs."""
    for filename, expected in sha256.items():
        try:
            found = files.sha256_of(folder / filename)
        except FileNotFoundError as error:
            raise ModelUnavailable(name=name, reason=f"{filename} is missing from {folder}") from error
        except OSError as error:
            raise ModelBroken(name=name, reason=f"{filename} cannot be read ({error.strerror})") from error
        if found != expected:
            raise ModelBroken(name=name, reason=f"{filename} has sha256 {found[:12]}..., expected {expected[:12]}...")


def read_json(path: Path, name: str) -> Any:
    """The file's content; None where there is no such file. Raises ModelBroken where it is no JSON."""
    try:
        return files.read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelBroken(name=name, reason=f"{path.name} cannot be read ({error})") from error


def folder_bytes(folder: Path) -> int:
    """Size of everything in `folder`, 0 where there is none."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
