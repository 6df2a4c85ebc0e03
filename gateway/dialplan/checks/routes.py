"""How routes stand to each other: shadowed ones, numbers that two of them claim, numbers left out."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from gateway.config.problems import Problem, show
from gateway.dialplan.dialplan import Dialplan, Route
from gateway.dialplan.language.patterns import Pattern
from gateway.dialplan.match import NumberCondition
from gateway.dialplan.parts import Named, Parts

_LAST_CHAR: Final = chr(0x10FFFF)


def check_routes(plan: Dialplan, parts: Parts) -> list[Problem]:
    """Everything that is wrong with the order and the numbers of routes."""
    shadowed = dict(_shadowed(plan, parts.doubts.routes))
    problems = [_shadow_problem(plan, parts, number, by) for number, by in shadowed.items()]
    problems += _repeated_numbers(plan, parts)
    problems += _overlapping(plan, parts, shadowed)
    return problems


# ---- routes that no call can reach -----------------------------------------------------------------


class _Earlier:
    """Routes seen so far, by the literal beginnings of their numbers."""

    def __init__(self) -> None:
        self._filed: dict[tuple[str, str], list[int]] = {}

    def file(self, number: int, route: Route) -> None:
        """Remember a route."""
        for to in _literals(route.conditions.to):
            for from_ in _literals(route.conditions.from_):
                self._filed.setdefault((to, from_), []).append(number)

    def may_cover(self, route: Route) -> list[int]:
        """Routes that may take everything this one would, in order."""
        to = min(_literals(route.conditions.to), key=len)
        from_ = min(_literals(route.conditions.from_), key=len)
        found: set[int] = set()
        for to_length in range(len(to) + 1):
            for from_length in range(len(from_) + 1):
                found.update(self._filed.get((to[:to_length], from_[:from_length]), ()))
        return sorted(found)


def _literals(condition: NumberCondition | None) -> set[str]:
    if condition is None or condition.lists or not condition.patterns:
        return {""}
    return {pattern.literal for pattern in condition.patterns}


def _shadowed(plan: Dialplan, doubtful: set[int]) -> Iterator[tuple[int, int]]:
    """Numbers of routes that no call reaches, each with the route that takes all of them."""
    earlier = _Earlier()
    for number, route in enumerate(plan.routes):
        if number in doubtful:
            continue
        for before in earlier.may_cover(route):
            if plan.routes[before].conditions.covers(route.conditions):
                yield number, before
                break
        earlier.file(number, route)


def _shadow_problem(plan: Dialplan, parts: Parts, number: int, by: int) -> Problem:
    named, before = parts.routes[number], plan.routes[by]
    return named.document.problem(
        (*named.path, "name"),
        found=f"route {show(plan.routes[number].name)}, which no call reaches",
        expected=f"it ahead of route {show(before.name)} ({before.place}), which takes all its calls",
    )


# ---- numbers that two routes claim -----------------------------------------------------------------


def _repeated_numbers(plan: Dialplan, parts: Parts) -> Iterator[Problem]:
    """A number that stands twice in one `to`."""
    for number, (route, named) in enumerate(zip(plan.routes, parts.routes, strict=True)):
        if number in parts.doubts.routes:
            continue
        seen: set[str] = set()
        for index, entry in enumerate(named.entry.match.to or ()):
            if entry.kind == "pattern" and entry.word in seen:
                path = (*named.path, "match", "to", index)
                expected = f"each number of route {show(route.name)} once"
                yield named.document.problem(path, found=show(entry.word), expected=expected)
            seen.add(entry.word)


def _overlapping(plan: Dialplan, parts: Parts, shadowed: dict[int, int]) -> Iterator[Problem]:
    """Later numbers that an earlier route without other conditions takes in part.

    An exception ahead of a wider route is the usual way to write a plan and no mistake; neither are two
    routes that differ in something else than numbers.
    """
    patterns = [
        (pattern, number)
        for number, route in enumerate(plan.routes)
        if route.conditions.to is not None and number not in parts.doubts.routes and number not in shadowed
        for pattern in route.conditions.to.patterns
    ]
    patterns.sort(key=lambda each: each[0].literal)
    literals = [pattern.literal for pattern, _ in patterns]
    told: set[tuple[int, int]] = set()
    for pattern, number in patterns:
        if pattern.exact:
            continue
        start = bisect_left(literals, pattern.literal)
        end = bisect_left(literals, pattern.literal + _LAST_CHAR)
        for other, other_number in patterns[start:end]:
            pair = (min(number, other_number), max(number, other_number))
            first, second = (pattern, other) if number == pair[0] else (other, pattern)
            if pair[0] != pair[1] and pair not in told and _claims(plan.routes[pair[0]], first, second):
                told.add(pair)
                yield _overlap_problem(plan, parts.routes[pair[1]], pair, first, second)


def _claims(earlier: Route, first: Pattern, second: Pattern) -> bool:
    """Whether the earlier pattern takes a part of the later one, and is no exception within it."""
    to = earlier.conditions.to
    unconditional = earlier.conditions.only_numbers and to is not None and not to.excluded
    return unconditional and first.overlaps(second) and not second.covers(first)


def _overlap_problem(
    plan: Dialplan, named: Named, pair: tuple[int, int], first: Pattern, second: Pattern
) -> Problem:
    before = plan.routes[pair[0]]
    entries = named.entry.match.to
    index = next((n for n, entry in enumerate(entries) if entry.word == second.text), 0)
    return named.document.problem(
        (*named.path, "match", "to", index),
        found=f"{show(second.text)}, which overlaps {show(first.text)} of route {show(before.name)}",
        expected=f"numbers that the route before it ({before.place}) does not take",
    )
