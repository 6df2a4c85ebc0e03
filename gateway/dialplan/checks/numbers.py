"""Numbers of trunks that no route serves."""

from collections.abc import Iterator

from gateway.config.problems import Problem, show
from gateway.config.validate import nearest
from gateway.dialplan.dialplan import Dialplan, Route
from gateway.dialplan.language.patterns import Pattern, parse_pattern


def check_trunk_numbers(plan: Dialplan) -> Iterator[Problem]:
    """Every number that the configuration gives to a trunk and no route is for."""
    to_conditions = [route.conditions.to for route in plan.routes if route.conditions.to is not None]
    served = [pattern.text for condition in to_conditions for pattern in condition.patterns]
    for trunk, offered in (plan.surroundings.trunks or {}).items():
        for text in offered.numbers:
            if not _served(plan, trunk, text):
                yield Problem(
                    str(plan.directory or ""),
                    0,
                    0,
                    "routes",
                    f"no route for {show(text)} of trunk {trunk}",
                    "a route that matches it",
                    nearest(text, served),
                )


def _served(plan: Dialplan, trunk: str, text: str) -> bool:
    return any(_serves(route, trunk, number) for number in parse_pattern(text) for route in plan.routes)


def _serves(route: Route, trunk: str, number: Pattern) -> bool:
    conditions = route.conditions
    if conditions.trunks is not None and trunk not in conditions.trunks:
        return False
    if conditions.sources is not None and "sip" not in conditions.sources:
        return False
    if conditions.to is None:
        return True
    if number.exact:
        return conditions.to.matches((number.literal,))
    return bool(conditions.to.lists) or any(each.overlaps(number) for each in conditions.to.patterns)
