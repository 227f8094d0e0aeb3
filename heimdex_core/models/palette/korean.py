"""Korean words in a sentence: removing particles and endings, splitting compounds.

These are rules and not a dictionary. Only results that are words of the vocabulary count, so a wrong split is harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

_PARTICLES = (
    "은 는 이 가 을 를 의 에 에서 에서의 에서는 에게 엔 에는 에도 으로 로 으로의 로의 과 와 랑 이랑 하고 도 만 "
    "까지 부터 처럼 같은 보다 들 들이 들은 들을 들의 들과 인 이다 입니다 이고 이며 이라는 라는 뿐 마다 이나 나 "
    "빛 색 빛의 색의 쪽 쪽에 속 속의 속에 안 안의 안에 진 낀 있는 인데"
)
_ENDINGS = "게 고 지만 지 네 네요 습니다 며 면서 은 운 던 아 어 아요 어요 다는 다고"
_IGNORED = (
    "있는 있다 있어 하는 되는 된 한 그 이 저 및 또는 그리고 장면 영상 화면 모습 풍경 사진 배경 색 색깔 빛 보이는 "
    "보이다 나오는 가득 가득한 찬 펼쳐진 놓인 떨어진 것 곳 때 매우 아주 좀 더 많은 큰 작은 두 세"
)

PARTICLES: tuple[str, ...] = tuple(sorted(_PARTICLES.split(), key=len, reverse=True))
ENDINGS: tuple[str, ...] = tuple(sorted(_ENDINGS.split(), key=len, reverse=True))
IGNORED: frozenset[str] = frozenset(_IGNORED.split())

RELATIONS = {
    **{"위": "on", "위쪽": "above", "위로": "above"},
    **dict.fromkeys(("아래", "아래쪽", "밑"), "under"),
    **dict.fromkeys(("속", "안", "가운데", "사이"), "in"),
}
PLACES = {
    **{"왼쪽": "left", "오른쪽": "right", "상단": "top", "하단": "bottom"},
    **dict.fromkeys(("중앙", "한가운데"), "centre"),
}
_RELATION_ENDINGS = ("", "에서의", "에서", "에는", "으로", "에", "의", "로")


def without_particles(token: str) -> Iterator[str]:
    """`token`, and what is left of it without one, two or three particles."""
    seen = {token}
    todo = [token]
    for _ in range(3):
        following = []
        for word in todo:
            for particle in PARTICLES:
                if word.endswith(particle) and len(word) > len(particle):
                    rest = word[: -len(particle)]
                    if rest not in seen:
                        seen.add(rest)
                        following.append(rest)
        yield from todo
        todo = following
    yield from todo


def dictionary_forms(token: str) -> Iterator[str]:
    """The dictionary forms in -다 of what may be an inflected adjective: 파랗게, 파랗고 -> 파랗다."""
    for ending in ENDINGS:
        if token.endswith(ending) and len(token) > len(ending):
            yield token[: -len(ending)] + "다"


def find(token: str, table: Mapping[str, str]) -> str | None:
    """What RELATIONS or PLACES has for a token such as 위에, 왼쪽에; None for another word."""
    for ending in _RELATION_ENDINGS:
        if token.endswith(ending) and (value := table.get(token.removesuffix(ending))):
            return value
    return None


def parts_of(token: str, is_known: Callable[[str], bool]) -> list[str]:
    """The known words of a compound, which cover all of it except a particle at the end; [] if there are none.

    Longer first words are tried first. Words of one syllable count only at the end (밤+하늘 is in the vocabulary as a
    whole), or any noun could be split into syllables that happen to be words.
    """
    for size in range(len(token) - 1, 1, -1):
        head, tail = token[:size], token[size:]
        if not is_known(head):
            continue
        for rest in without_particles(tail):
            if is_known(rest) or find(rest, RELATIONS):
                return [head, rest]
        if tail in PARTICLES:
            return [head]
        more = parts_of(tail, is_known)
        if more:
            return [head, *more]
    return []
