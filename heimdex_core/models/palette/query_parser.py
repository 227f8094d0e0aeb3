"""Parsing a written description: which things it asks for, in which colours, where.

"green meadow under a pink sky"  ->  meadow (green, at the bottom), sky (pink, at the top)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from heimdex_core.models.palette import korean
from heimdex_core.models.palette.vocabulary import LONGEST_PHRASE, Concept, Vocabulary, is_hangul, tokens_of

RELATIONS: dict[tuple[str, ...], str] = {
    tuple(phrase.split()): relation
    for relation, phrases in {
        "under": "under, below, beneath, underneath",
        "above": "above, over",
        "on": "on top of, on, upon, atop",
        "in": "in, inside, within, against, amid, among, surrounded by, in front of",
    }.items()
    for phrase in phrases.split(", ")
}
PLACES: dict[tuple[str, ...], str] = {
    (*lead, "the", name): region
    for lead in (("at",), ("on",), ("in",), ("to",))
    for name, region in {
        "top": "top",
        "bottom": "bottom",
        "left": "left",
        "right": "right",
        "middle": "centre",
        "centre": "centre",
        "center": "centre",
        "foreground": "lower",
        "background": "surround",
    }.items()
}
_COPULAS = "is are was were turns turning looks looking becomes gets being"
_IGNORED = (
    "a an the of with and or but to at by for from as into onto near next beside behind through along across this "
    "that these those it its there some any all very quite really so too more most lots lot many few big small large "
    "little scene scenes shot shots video clip film movie picture image photo photograph footage frame view show "
    "shows showing shown seen background foreground full covered filled made has have having be been colour color "
    "coloured colored colours colors tone tones toned hue where which who when i we you he she they my our your his "
    "her their one two three up down out off"
)
COPULAS = frozenset(_COPULAS.split())
IGNORED = frozenset(_IGNORED.split())

PLACED_BY: dict[str, tuple[str | None, str | None]] = {
    "under": ("bottom", "top"),
    "above": ("top", "bottom"),
    "on": ("centre", "surround"),
    "in": ("centre", "surround"),
}
"""By relation: the regions of the placed thing and of the thing that it refers to."""
FIRM = frozenset({"under", "above"})
"""Relations that override where a thing usually is; the others only place things that can be anywhere."""


@dataclass
class Group:
    """A thing with the words that describe it; `thing` is None where only the description is known."""

    thing: Concept | None = None
    colours: list[Concept] = field(default_factory=list)
    looks: list[Concept] = field(default_factory=list)
    at: str | None = None
    """The region where the query has it."""
    is_reference: bool = False
    """Whether something else is on or in it."""

    @staticmethod
    def of(concept: Concept) -> Group:
        """A concept by itself."""
        group = Group()
        group.add(concept)
        return group

    def add(self, concept: Concept) -> None:
        """Set the thing, or add a colour or a look."""
        if concept.kind == "thing":
            self.thing = concept
        else:
            (self.colours if concept.kind == "colour" else self.looks).append(concept)

    @property
    def is_empty(self) -> bool:
        """Whether the group asks for nothing."""
        return self.thing is None and not self.colours and not self.looks


@dataclass(frozen=True)
class ParsedQuery:
    """What a query asks for, and which of its words the vocabulary has."""

    groups: tuple[Group, ...]
    used_words: tuple[str, ...]
    unknown_words: tuple[str, ...]


ItemKind = Literal["concept", "relation", "place", "copula", "unknown", "skip"]


@dataclass(frozen=True, slots=True)
class Item:
    """One or more tokens of the query and their role."""

    kind: ItemKind
    words: tuple[str, ...]
    concept: Concept | None = None
    value: str = ""
    """The relation or the region."""
    is_korean: bool = False
    is_predicate: bool = False
    """Whether it is a Korean adjective after its noun: 하늘이 파랗다."""


def parse(text: str, vocabulary: Vocabulary) -> ParsedQuery:
    """What `text`, English or Korean, asks for; without groups where it has none of the vocabulary's words."""
    items = list(_items(tokens_of(text), vocabulary))
    groups = _Parser().parse(items)
    used = dict.fromkeys(word for item in items if item.kind == "concept" for word in item.words)
    unknown = dict.fromkeys(word for item in items if item.kind == "unknown" for word in item.words)
    return ParsedQuery(tuple(groups), tuple(used), tuple(unknown))


# --- words to items -------------------------------------------------------------------------------


def _items(tokens: list[str], vocabulary: Vocabulary) -> Iterator[Item]:
    n = 0
    while n < len(tokens):
        size, items = _longest(tokens[n : n + LONGEST_PHRASE], vocabulary)
        yield from items
        n += size


def _longest(tokens: list[str], vocabulary: Vocabulary) -> tuple[int, list[Item]]:
    """The longest known phrase at the start of `tokens`: its number of tokens, and their roles."""
    for size in range(len(tokens), 0, -1):
        words = tuple(tokens[:size])
        if words in PLACES:
            return size, [Item("place", words, value=PLACES[words])]
        concept = vocabulary.find(words)
        if concept is not None:
            return size, [Item("concept", words, concept, is_korean=is_hangul(words[0]))]
        if size > 1 and is_hangul(words[-1]):
            for rest in korean.without_particles(words[-1]):
                concept = vocabulary.find((*words[:-1], rest))
                if concept is not None:
                    return size, [Item("concept", words, concept, is_korean=True)]
        if words in RELATIONS:
            return size, [Item("relation", words, value=RELATIONS[words])]
    return 1, _single(tokens[0], vocabulary)


def _single(token: str, vocabulary: Vocabulary) -> list[Item]:
    if token in COPULAS:
        return [Item("copula", (token,))]
    if token in IGNORED or token in korean.IGNORED:
        return [Item("skip", (token,))]
    if is_hangul(token):
        return _korean(token, vocabulary)
    return [Item("unknown", (token,))]


def _korean(token: str, vocabulary: Vocabulary) -> list[Item]:
    tables: tuple[tuple[ItemKind, dict[str, str]], ...] = (("relation", korean.RELATIONS), ("place", korean.PLACES))
    for kind, table in tables:
        if value := korean.find(token, table):
            return [Item(kind, (token,), value=value, is_korean=True)]
    for form in korean.dictionary_forms(token):
        if form in vocabulary.korean:
            # -은, -운 and -던 precede the noun, the other endings follow it
            after = not token.endswith(("은", "운", "던"))
            return [Item("concept", (token,), vocabulary.find((form,)), is_korean=True, is_predicate=after)]
    for rest in korean.without_particles(token):
        if rest in vocabulary.korean:
            return [Item("concept", (token,), vocabulary.find((rest,)), is_korean=True)]
    found = []
    for part in korean.parts_of(token, vocabulary.korean.__contains__):
        if part in vocabulary.korean:
            found.append(Item("concept", (token,), vocabulary.find((part,)), is_korean=True))
        elif relation := korean.find(part, korean.RELATIONS):
            found.append(Item("relation", (token,), value=relation, is_korean=True))
    return found or [Item("unknown", (token,))]


# --- items to groups ------------------------------------------------------------------------------


class _Parser:
    """Groups items from left to right; descriptions are kept until the thing that they describe."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.waiting = Group()
        self.predicate_of: Group | None = None
        self.relation: Item | None = None
        self.relation_from = 0

    def parse(self, items: list[Item]) -> list[Group]:
        for item in items:
            if item.kind == "concept" and item.concept is not None:
                self._concept(item, item.concept)
            elif item.kind == "relation":
                self._close()
                self._relate()
                if self.groups:
                    self.relation, self.relation_from = item, len(self.groups)
            elif item.kind == "place":
                self._close()
                if self.groups:
                    self.groups[-1].at = item.value
            elif item.kind == "copula":
                self.predicate_of = self.groups[-1] if self.groups else None
            elif item.kind == "unknown":
                # "red car": the red belongs to something unknown, so it may be anywhere
                self._close()
        self._close()
        self._relate()
        return self.groups

    def _concept(self, item: Item, concept: Concept) -> None:
        is_predicate = item.is_predicate or (item.is_korean and item.words[-1].endswith("다"))
        if concept.kind != "thing" and is_predicate and self.groups and self.waiting.is_empty:
            self.groups[-1].add(concept)
            return
        self.waiting.add(concept)
        if concept.kind == "thing":
            self.predicate_of = None
            self._close()

    def _close(self) -> None:
        """Turn what is waiting into a group, or add it to the subject before an "is"."""
        waiting, self.waiting = self.waiting, Group()
        subject, self.predicate_of = self.predicate_of, None
        if waiting.is_empty:
            return
        if subject is not None and waiting.thing is None:
            subject.colours += waiting.colours
            subject.looks += waiting.looks
            return
        self.groups.append(waiting)

    def _relate(self) -> None:
        """Set the regions of the groups on both sides of the last relation.

        In English the reference follows it ("leaves on a rock"), in Korean it precedes it (바위 위의 단풍).
        """
        relation, self.relation = self.relation, None
        if relation is None:
            return
        groups, n = self.groups, self.relation_from
        before, after = groups[n - 1], groups[n] if len(groups) > n else None
        placed: Group | None = before
        reference = after
        if relation.is_korean:
            # without anything after it, the thing is two before it: 단풍이 바위 위에 있다
            placed = after or (groups[n - 2] if n >= 2 else None)
            reference = before
        for group, region in zip((placed, reference), PLACED_BY[relation.value], strict=True):
            usual = group.thing.at if group is not None and group.thing is not None else None
            # if only one side is known, it is placed only by a firm relation
            if group is not None and (relation.value in FIRM or (placed and reference and usual is None)):
                group.at = region
        if reference is not None and placed is not None and relation.value not in FIRM:
            reference.is_reference = True
