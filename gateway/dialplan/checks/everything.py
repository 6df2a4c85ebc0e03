"""All checks of a plan as a whole, in one list of problems."""

from gateway.config.problems import Problem
from gateway.dialplan.assembly import Assembled
from gateway.dialplan.checks.cases import run_cases
from gateway.dialplan.checks.flows import check_flows
from gateway.dialplan.checks.numbers import check_trunk_numbers
from gateway.dialplan.checks.routes import check_routes


def check(assembled: Assembled) -> list[Problem]:
    """Everything that is wrong with a plan as a whole.

    Where files have mistakes, only what is surely wrong whatever their authors meant.
    """
    plan, parts = assembled.plan, assembled.parts
    return [
        *check_flows(plan, parts),
        *check_routes(plan, parts),
        *(check_trunk_numbers(plan) if parts.doubts.first_route is None else ()),
        *run_cases(plan, parts),
    ]
