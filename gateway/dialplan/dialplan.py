"""A checked dialplan: which route takes a call, and what is needed to run it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.dialplan.block import Block
from gateway.dialplan.index import RouteIndex
from gateway.dialplan.language.numbers import forms
from gateway.dialplan.language.share import pick
from gateway.dialplan.language.variables import expand
from gateway.dialplan.match import Conditions, Subject
from gateway.dialplan.runtime import CallFactsView, Say, Sound
from gateway.dialplan.steps.ai import AiStep
from gateway.dialplan.steps.gather import GatherStep
from gateway.dialplan.steps.goto import GotoStep
from gateway.dialplan.surroundings import Surroundings

MAX_CALL_S = 4 * 3600.0
"""Longest call where the plan says nothing."""
MAX_KEPT_HEADERS = 32
MAX_KEPT_CHARS = 256
"""Headers of a call, and characters of each, that go into its record."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A way for calls to go."""

    name: str
    conditions: Conditions
    split: Mapping[str, float]
    block: Block
    place: str
    """FILE:LINE of its definition."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole plan."""

    zone: ZoneInfo
    language: str = "en"
    region: str = ""
    max_call_s: float = MAX_CALL_S
    on_failure: Block = ()


@dataclass(frozen=True, slots=True, eq=False)
class Dialplan:
    """All routes and everything they use. Immutable: a call keeps the one it began with."""

    routes: Sequence[Route]
    flows: Mapping[str, Block]
    prompts: Mapping[str, Say | Sound]
    """Texts still with their ${variables}."""
    settings: Settings
    surroundings: Surroundings
    directory: Path | None
    """Files in the plan are relative to it."""
    digest: str
    """Of all files: the same digest is the same plan."""
    index: RouteIndex
    agent_blocks: Mapping[str, Block]
    """What to do for a caller who asks for an agent by name."""
    cases: int = 0
    """Cases in its files, all of which came out as expected."""
    headers: frozenset[str] = frozenset()
    """Headers that routes have conditions on, in lower case."""

    def asked_headers(self, facts: CallFactsView) -> dict[str, str | None]:
        """What a call says in the headers that this plan has conditions on; None: it has no such header.

        For the call's record, so within limits: what is longer or more is left out.
        """
        found = {name: facts.headers.get(name) for name in sorted(self.headers)[:MAX_KEPT_HEADERS]}
        return {name: value for name, value in found.items() if len(value or "") <= MAX_KEPT_CHARS}

    def subject(self, facts: CallFactsView, at: datetime, assumed: frozenset[str] = frozenset()) -> Subject:
        """A call as the conditions see it. at: aware."""
        region = self.surroundings.region(facts.trunk) or self.settings.region
        return Subject(facts, at, forms(facts.to_number, region), forms(facts.from_number, region), assumed)

    def decide(self, facts: CallFactsView, at: datetime, assumed: frozenset[str] = frozenset()) -> "Decision":
        """What happens with a call.

        at: aware; hours are looked up in the plan's time zones. assumed: conditions that count as met.
        """
        subject = self.subject(facts, at, assumed)
        if facts.agent in self.agent_blocks:
            return self._by_agent(subject)
        for number in self.index.candidates(subject.to_forms, subject.from_forms):
            route = self.routes[number]
            if route.conditions.unmet(subject) is None:
                return self._by_route(route, subject)
        return Decision(self, subject, "", None, (), {}, "")

    def _by_agent(self, subject: Subject) -> "Decision":
        agent = subject.facts.agent
        return Decision(self, subject, f"agent {agent}", None, self.agent_blocks[agent], {}, agent)

    def _by_route(self, route: Route, subject: Subject) -> "Decision":
        split = pick(subject.caller, route.name, route.split) if route.split else ""
        variables = {**subject.facts.variables, "split": split}
        first, allow = self._first_talk(route.block, variables)
        return Decision(self, subject, route.name, route, route.block, variables, first, allow)

    def _first_talk(self, block: Block, variables: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
        """The agent that the caller will hear first if nothing fails and no choice leads elsewhere.

        With it the targets to which it may transfer.
        """
        seen: set[str] = set()
        while True:
            for placed in block:
                match placed.step:
                    case AiStep(agent=name) | GatherStep(agent=str(name)):
                        agents = self.surroundings.agents
                        agent = next(iter(agents), "") if name is None else expand(name, variables)
                        allow = tuple(placed.step.allow) if isinstance(placed.step, AiStep) else ()
                        return (agent, allow) if not agents or agent in agents else ("", ())
                    case GotoStep(flow=flow) if flow not in seen and flow in self.flows:
                        seen.add(flow)
                        block = self.flows[flow]
                        break
                    case step if step.ends:
                        return "", ()
            else:
                return "", ()

    def sound(self, relative: str) -> Sound:
        """A file of the plan's directory."""
        return Sound((self.directory or Path()) / relative)


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What the plan says about one call."""

    dialplan: Dialplan
    subject: Subject
    route_name: str
    """Name of the route that took it; empty: none, refuse the call."""
    route: Route | None
    """None also when the caller asked for an agent by name."""
    block: Block
    """The steps that will run."""
    variables: Mapping[str, str]
    """What the call brought along, and ${split}."""
    first_agent: str
    """The agent that will probably talk first; empty: none, or not known before it is."""
    first_allow: tuple[str, ...] = ()
    """Targets to which that agent may transfer the caller."""

    @property
    def digest(self) -> str:
        """The plan's, shortened."""
        return self.dialplan.digest[:12]

    @property
    def taken(self) -> bool:
        """Whether a route (or an agent asked for by name) takes the call."""
        return bool(self.route_name)

    @property
    def by_chance(self) -> bool:
        """Whether a condition by share had a say."""
        if self.route is not None and self.route.conditions.percent is not None:
            return True
        unmet = (route.conditions.unmet(self.subject) for route in self._ahead())
        return any(condition == "percent" for condition in unmet)

    def passed_over(self) -> Iterator[tuple[Route, str]]:
        """The routes ahead of the one that took the call, and why each does not match."""
        for route in self._ahead():
            yield route, route.conditions.why_not(self.subject)

    def _ahead(self) -> Iterator[Route]:
        if self.route is None and self.taken:
            return
        for route in self.dialplan.routes:
            if route is self.route:
                return
            yield route
