"""What a plan does with a call, in words: for people and for golden tests. Pure."""

from collections.abc import Iterator

from gateway.dialplan.block import Block, PlacedBranch
from gateway.dialplan.dialplan import Decision, Dialplan
from gateway.dialplan.language.variables import expand
from gateway.dialplan.steps.goto import GotoStep

_INDENT = "  "


def explain(decision: Decision) -> list[str]:
    """Lines: the call, the routes passed over, the route taken, the steps that would run."""
    facts, subject = decision.subject.facts, decision.subject
    at = subject.at.astimezone(decision.dialplan.settings.zone)
    forms = [form for form in subject.to_forms if form != facts.to_number]
    lines = [f"to    {facts.to_number}" + (f" ({', '.join(forms)})" if forms else "")]
    forms = [form for form in subject.from_forms if form != facts.from_number]
    lines.append(f"from  {facts.from_number or '(nobody)'}" + (f" ({', '.join(forms)})" if forms else ""))
    lines.append(f"at    {at:%a %Y-%m-%d %H:%M} {decision.dialplan.settings.zone.key}")
    lines.append("")
    for route, why in decision.passed_over():
        lines.append(f"no    {route.name} ({route.place}): {why}")
    if not decision.taken:
        return [*lines, "", "No route takes this call: it is refused with 404."]
    place = f" ({decision.route.place})" if decision.route is not None else ""
    lines.append(f"yes   {decision.route_name}{place}")
    if decision.route is not None:
        taken_for_granted = decision.route.conditions.assumptions(subject)
        lines += [f"      taken for granted: {said}" for said in taken_for_granted]
    if decision.variables.get("split"):
        lines.append(f"      split: {decision.variables['split']}")
    return [*lines, "", *_Printer(decision).lines()]


class _Printer:
    """Prints steps, each flow once."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self._plan: Dialplan = decision.dialplan
        self._waiting: list[str] = []
        self._seen: set[str] = set()

    def lines(self) -> list[str]:
        """The route's steps, then those of the flows that they lead to."""
        lines = list(self._block(self._decision.block, ""))
        if self._plan.settings.on_failure:
            lines += ["", "on a failure that nothing above is for:"]
            lines += self._block(self._plan.settings.on_failure, _INDENT)
        while self._waiting:
            name = self._waiting.pop(0)
            lines += ["", f"flow {name}:"]
            lines += self._block(self._plan.flows[name], _INDENT)
        return lines

    def _block(self, block: Block, indent: str) -> Iterator[str]:
        for placed in block:
            said = expand(placed.step.describe(), _Known(self._decision.variables))
            yield f"{indent}{placed.step.word} {said}".rstrip()
            for branch in placed.branches.values():
                yield from self._branch(branch, indent + _INDENT)
            if isinstance(placed.step, GotoStep):
                self._note(placed.step.flow)

    def _branch(self, branch: PlacedBranch, indent: str) -> Iterator[str]:
        name = branch.spec.name.removeprefix("choices.").replace("on.", "on ")
        one = branch.block[0].step if len(branch.block) == 1 else None
        if isinstance(one, GotoStep):
            self._note(one.flow)
            label = branch.spec.label if " then " in branch.spec.label else one.flow
            yield f"{indent}{name}: {label}"
        elif not branch.block:
            yield f"{indent}{name}: continue"
        else:
            yield f"{indent}{name}:"
            yield from self._block(branch.block, indent + _INDENT)

    def _note(self, flow: str) -> None:
        if flow not in self._seen:
            self._seen.add(flow)
            self._waiting.append(flow)


class _Known(dict[str, str]):
    """Variables whose values are known before the call; the others stay as they are written."""

    def get(self, name: str, default: str | None = "") -> str:  # type: ignore[override]
        """The value, or the reference itself."""
        return dict.get(self, name) or f"${{{name}}}"
