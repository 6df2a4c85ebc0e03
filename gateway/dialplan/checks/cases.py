"""The cases of a plan: calls, and where they must go."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.config.document import Document, KeyPath
from gateway.config.problems import Problem, show
from gateway.config.validate import nearest
from gateway.dialplan.dialplan import Decision, Dialplan
from gateway.dialplan.match import SIMPLE_FACTS
from gateway.dialplan.models import Case
from gateway.dialplan.parts import Doubts, Parts
from gateway.dialplan.runtime import CallFactsView

_SOME_TIME: Final = datetime(2026, 1, 12, 12, tzinfo=UTC)
"""For cases whose outcome does not depend on the time."""
_FORMATS: Final = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that somebody asks about, with what they left unsaid."""

    facts: CallFactsView
    assumed: frozenset[str]
    """Conditions of which nothing was said: they count as met."""


def make_call(
    *,
    to: str,
    from_: str = "",
    trunk: str | None = None,
    headers: dict[str, str] | None = None,
    kind: str | None = None,
    variables: dict[str, str] | None = None,
) -> Call:
    """A call from what was said about it; None where nothing was."""
    said = {"trunk": trunk, "header": headers, "kind": kind}
    facts = CallFactsView(
        kind="webrtc" if kind == "webrtc" else "sip",
        direction="outbound" if kind == "outbound" else "inbound",
        to_number=to,
        from_number=from_,
        trunk=trunk or "",
        headers={name.lower(): value for name, value in (headers or {}).items()},
        variables=variables or {},
    )
    return Call(facts, frozenset(name for name in SIMPLE_FACTS if said[name] is None))


def parse_time(text: str, zone: ZoneInfo) -> datetime | None:
    """`2026-12-24 11:00` on the wall clock of a zone; None when it is something else."""
    for form in _FORMATS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=zone)
        except ValueError:
            continue
    return None


def run_cases(plan: Dialplan, parts: Parts) -> Iterator[Problem]:
    """Every case that does not come out as expected."""
    for document, file in zip(parts.documents, parts.files, strict=True):
        for index, case in enumerate(file.cases):
            if (document.file, index) not in parts.doubts.cases:
                yield from _run(plan, parts.doubts, document, ("cases", index), case)


def _run(plan: Dialplan, doubts: Doubts, document: Document, path: KeyPath, case: Case) -> Iterator[Problem]:
    at = None if case.at is None else parse_time(case.at, plan.settings.zone)
    if case.at is not None and at is None:
        expected = 'a local time such as "2026-12-24 11:00"'
        yield document.problem((*path, "at"), found=show(case.at), expected=expected)
        return
    call = make_call(
        to=case.to,
        from_=case.from_,
        trunk=case.trunk,
        headers=case.header,
        kind=case.kind,
        variables=dict(case.variables),
    )
    decision = plan.decide(call.facts, at or _SOME_TIME, call.assumed)
    if not _certain(plan, doubts, decision):
        return
    if at is None and (route := _depends_on_hours(decision)):
        expected = f'a time, at: "2026-12-24 11:00", because route "{route}" has hours'
        yield document.problem(path, found="a case without at", expected=expected)
        return
    yield from _compare(plan, document, (*path, "expect"), case, decision, agents=not doubts.steps)


def _certain(plan: Dialplan, doubts: Doubts, decision: Decision) -> bool:
    """Whether the call goes this way whatever is meant where the files have mistakes."""
    if doubts.first_route is None:
        return True
    return decision.route is not None and plan.routes.index(decision.route) < doubts.first_route


def _depends_on_hours(decision: Decision) -> str:
    """Name of a route whose hours had a say; empty if none."""
    passed = decision.passed_over()
    routes = [route for route, _ in passed if route.conditions.unmet(decision.subject) == "hours"]
    if decision.route is not None and decision.route.conditions.hours is not None:
        routes.append(decision.route)
    return routes[0].name if routes else ""


def _compare(
    plan: Dialplan, document: Document, path: KeyPath, case: Case, decision: Decision, *, agents: bool
) -> Iterator[Problem]:
    """agents: whether the steps that lead to the first one are all there."""
    expect = case.expect
    if "route" in expect.model_fields_set and decision.route_name != (expect.route or ""):
        names = [route.name for route in plan.routes]
        hint = ""
        if expect.route is not None and expect.route not in names:
            hint = nearest(expect.route, names) or "there is no such route"
        else:
            why = {route.name: reason for route, reason in decision.passed_over()}
            if expect.route in why:
                hint = f"{expect.route}: {why[expect.route]}"
        found = f"route {show(decision.route_name)}" if decision.taken else "no route"
        wanted = f"route {show(expect.route)}" if expect.route is not None else "no route"
        yield document.problem((*path, "route"), found=found, expected=wanted, hint=hint)
    if agents and "agent" in expect.model_fields_set and decision.first_agent != (expect.agent or ""):
        found = show(decision.first_agent) if decision.first_agent else "no agent"
        wanted = show(expect.agent) if expect.agent else "no agent"
        yield document.problem((*path, "agent"), found=found, expected=wanted)
