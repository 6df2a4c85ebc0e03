"""Numbers of trunks that no route serves."""

from collections.abc import Iterator
from itertools import islice, product
from typing import Final

from gateway.config.problems import Problem, show
from gateway.config.validate import nearest
from gateway.dialplan.dialplan import Dialplan, Route
from gateway.dialplan.index import RouteIndex
from gateway.dialplan.language.numbers import forms
from gateway.dialplan.language.patterns import Pattern, PatternError, Positions, parse_pattern
from gateway.dialplan.match import Conditions
from gateway.dialplan.surroundings import Trunk

_MAX_TRIED: Final = 10_000
"""Numbers of one pattern that are looked at one by one."""


def check_trunk_numbers(plan: Dialplan) -> Iterator[Problem]:
    """Every number that the configuration gives to a trunk and no route is for."""
    to_conditions = [route.conditions.to for route in plan.routes if route.conditions.to is not None]
    words = [pattern.text for condition in to_conditions for pattern in condition.patterns]
    directory = str(plan.directory or "")
    for name, trunk in (plan.surroundings.trunks or {}).items():
        served = _Served(plan, name, trunk)
        for text in trunk.numbers:
            try:
                left_out = served.left_out(text)
            except PatternError as exc:
                found = f"the number {show(text)} of trunk {name}"
                yield Problem(directory, 0, 0, "", found, str(exc))
                continue
            if left_out:
                within = "" if left_out == text else f" (one of {show(text)})"
                found = f"no route for {show(left_out)}{within} of trunk {name}"
                yield Problem(
                    directory, 0, 0, "routes", found, "a route that matches it", nearest(text, words)
                )


class _Served:
    """What the routes for one trunk's calls take, whoever calls."""

    def __init__(self, plan: Dialplan, name: str, trunk: Trunk) -> None:
        self._region = trunk.region or plan.settings.region
        self._routes = [route for route in plan.routes if _for_trunk(route, name)] if trunk.numbers else []
        self._index = RouteIndex([Conditions(to=route.conditions.to) for route in self._routes])

    def left_out(self, text: str) -> str:
        """A number of the pattern that is not served, or the pattern when none is; empty: all are.

        Of a pattern with an open end some number must be served. Raises `PatternError`.
        """
        some = False
        missing = ""
        for pattern in parse_pattern(text):
            if not isinstance(pattern, Positions) or pattern.is_open:
                return "" if self._overlaps(pattern) else text
            for digits in islice(product(*pattern.sets), _MAX_TRIED):
                number = "".join(digits)
                if self._takes(number):
                    some = True
                else:
                    missing = missing or number
                if some and missing:
                    return missing
        return "" if some else text

    def _takes(self, number: str) -> bool:
        written = forms(number, self._region)
        for place in self._index.candidates(written, ("",)):
            to = self._routes[place].conditions.to
            if to is None or to.matches(written):
                return True
        return False

    def _overlaps(self, number: Pattern) -> bool:
        conditions = [route.conditions.to for route in self._routes]
        return any(
            to is None or not to.patterns or to.lists or any(each.overlaps(number) for each in to.patterns)
            for to in conditions
        )


def _for_trunk(route: Route, trunk: str) -> bool:
    conditions = route.conditions
    if conditions.trunks is not None and trunk not in conditions.trunks:
        return False
    return conditions.sources is None or "sip" in conditions.sources
