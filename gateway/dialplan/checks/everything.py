"""All checks of a plan as a whole, in one list of problems."""

from gateway.config.problems import Problem
from gateway.dialplan.assembly import Assembled
from gateway.dialplan.checks.cases import run_cases


def check(assembled: Assembled) -> list[Problem]:
    """Everything that is wrong with a plan whose files are each well written."""
    return [*run_cases(assembled.plan, assembled.parts)]
