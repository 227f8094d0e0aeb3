"""Words of a query that occur nowhere, and the similar words that are looked up instead.

Only the lexical channel uses them: a model may well know a word that nobody has said, so "horse" is still seen where
only "house" is written. A word has to have 5 letters to be changed in one place, and 8 in two; quoted words never are.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from heimdex_core.store import analysis
from heimdex_core.store.edit_distance import distance

if TYPE_CHECKING:
    from heimdex_core.store.view import View

ONE_EDIT_LETTERS = 5
TWO_EDITS_LETTERS = 8
EXAMINED_SCENES = 50
"""How many scenes with a similar word are read to see which word it is."""

_WORDS = re.compile(r'"[^"]*"|[^\W\d_]+(?:[\'\u2019][^\W\d_]+)*')


def edits_allowed(word: str) -> int:
    """How many letters of a word may differ, 0 to 2. Only words in Latin letters are compared letter by letter."""
    if not word.isascii() or len(word) < ONE_EDIT_LETTERS:
        return 0
    return 2 if len(word) >= TWO_EDITS_LETTERS else 1


def corrections(view: View, lookup: str, user_id: str) -> dict[str, str]:
    """The words of a query that none of the user's scenes has, each with the similar word to look up instead.

    Args:
        view: what is searched; filters do not count, so that a word means the same under all of them.
        lookup: the query with its quoted phrases.
        user_id: whose scenes.

    Raises LibraryDamaged, ViewOutdated.
    """
    found: dict[str, str] = {}
    for match in _WORDS.finditer(lookup):
        word = match.group()
        allowed = 0 if word.startswith('"') else edits_allowed(word)
        if word in found or not allowed or view.has_word(word, user_id=user_id):
            continue
        for edits in range(1, allowed + 1):
            similar = _most_similar(view, word, edits, user_id)
            if similar is not None:
                found[word] = similar
                break
    return found


def corrected(lookup: str, words: dict[str, str]) -> str:
    """The query with `words` replaced outside quotation marks."""
    return _WORDS.sub(lambda match: words.get(match.group(), match.group()), lookup)


def _most_similar(view: View, word: str, edits: int, user_id: str) -> str | None:
    """The word, as it is written, whose term is `edits` away from that of `word`: the nearest, then the commonest."""
    term = analysis.terms(word)[0]
    scene_ids = view.scenes_with_similar_word(word, edits=edits, k=EXAMINED_SCENES, user_id=user_id)
    scenes = view.scenes_by_id(scene_ids).values()
    titles = view.video_titles(user_id, {scene.video_id for scene in scenes})
    written: Counter[str] = Counter()
    for scene in scenes:
        title = titles.get(scene.video_id, "")
        for text in (scene.transcript, title, *scene.tags, scene.caption, scene.on_screen_text):
            written.update(_WORDS.findall(text.replace('"', " ")))
    near = [
        (distance(word.casefold(), other.casefold()), -count, other.casefold(), other)
        for other, count in written.items()
        if abs(len(other) - len(word)) <= edits + 3 and any(distance(term, t) <= edits for t in analysis.terms(other))
    ]
    return min(near)[-1] if near else None
