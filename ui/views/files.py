"""Files of judgements as people have them: what one is, and what one may be called."""

from __future__ import annotations

from typing import Literal

Kind = Literal["table", "qrels", "run", "topics"]
TABLES = (".csv", ".parquet", ".json")


def kind_of(suffix: str, beginning: bytes) -> Kind:
    """What a file holds, by its suffix and its first line.

    TREC's formats have no suffix of their own: qrels have four columns (topic, iteration, document, grade), runs six
    (topic, "Q0", document, rank, score, tag). Everything else are topics.

    Args:
        suffix: of its name, with the dot, in lower case.
        beginning: its first bytes.
    """
    if suffix in TABLES:
        return "table"
    text = beginning.decode("utf-8-sig", errors="replace")
    columns = next((line.split() for line in text.splitlines() if line.strip()), [])
    if len(columns) == 6 and columns[1].upper() == "Q0":
        return "run"
    if len(columns) == 4 and columns[3].lstrip("-").isdecimal():
        return "qrels"
    return "topics"


def safe_name(name: str) -> str:
    """A name for a download, without characters that file systems do not allow."""
    allowed = "".join(c for c in name if c.isprintable() and c not in '|<>:"\\/?*').strip(" .")
    return allowed[:80] or "queries"
