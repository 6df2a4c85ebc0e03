"""Finds the routes that may take a call without looking at all of them. Pure.

A pattern has a literal beginning (all of it, for an exact one). Routes are filed under the pair of
beginnings of `to` and `from`; a call asks once for each pair of lengths that occurs. What is found is
a superset: the conditions are checked afterwards, in the order of the plan.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

from gateway.dialplan.match import Conditions, NumberCondition

_Key = tuple[str, bool]
"""Literal beginning, and whether it is the whole number."""
_Shape = tuple[int, int]
"""Lengths of the two beginnings; -1 for a whole number."""

_ANYTHING: _Key = ("", False)


class RouteIndex:
    """Candidates for a call, by its numbers."""

    def __init__(self, conditions: Sequence[Conditions]) -> None:
        self._filed: dict[tuple[_Key, _Key], list[int]] = {}
        shapes: set[_Shape] = set()
        for number, each in enumerate(conditions):
            for to in _keys(each.to):
                for from_ in _keys(each.from_):
                    filed = self._filed.setdefault((to, from_), [])
                    if not filed or filed[-1] != number:
                        filed.append(number)
                    shapes.add((_length(to), _length(from_)))
        self._shapes = tuple(shapes)

    def candidates(self, to_forms: Iterable[str], from_forms: Iterable[str]) -> Iterator[int]:
        """Numbers of the routes that may match, ascending, each once."""
        found = []
        for to_length, from_length in self._shapes:
            for to in to_forms:
                for from_ in from_forms:
                    filed = self._filed.get((_cut(to, to_length), _cut(from_, from_length)))
                    if filed is not None:
                        found.append(filed)
        last = -1
        for number in merge(*found):
            if number != last:
                last = number
                yield number


def _keys(condition: NumberCondition | None) -> Iterable[_Key]:
    if condition is None or condition.lists or not condition.patterns:
        return (_ANYTHING,)
    return dict.fromkeys((pattern.literal, pattern.exact) for pattern in condition.patterns)


def _length(key: _Key) -> int:
    return -1 if key[1] else len(key[0])


def _cut(number: str, length: int) -> _Key:
    return (number, True) if length < 0 else (number[:length], False)
