"""Which calls a route is for: compiled conditions, and why one of them is not met. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from gateway.dialplan.language.hours import Hours
from gateway.dialplan.language.lists import NumberList
from gateway.dialplan.language.patterns import Pattern
from gateway.dialplan.language.share import share_key, within
from gateway.dialplan.runtime import CallFactsView

ConditionName = Literal["to", "from", "trunk", "header", "hours", "kind", "percent", "variables"]
CallSource = Literal["sip", "webrtc", "outbound"]

SIMPLE_FACTS: Final = frozenset({"trunk", "header", "kind"})
"""Conditions that count as met when nothing is said about them (cases, explain)."""


def assumed_header(name: str) -> str:
    """For `Subject.assumed`: conditions on this header count as met. name: in lower case."""
    return f"header {name}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A call as the conditions see it."""

    facts: CallFactsView
    at: datetime
    """Aware."""
    to_forms: tuple[str, ...]
    """Ways to write the dialled number."""
    from_forms: tuple[str, ...]
    assumed: frozenset[str] = frozenset()
    """Conditions of `SIMPLE_FACTS` that count as met; `assumed_header` gives the word for a single header."""

    @property
    def caller(self) -> str:
        """What stable shares go by; the longest form is the one in E.164."""
        return share_key(self.from_forms[-1], self.facts.call_id)

    @property
    def source(self) -> CallSource:
        """How the call came about."""
        if self.facts.direction == "outbound":
            return "outbound"
        return "webrtc" if self.facts.kind == "webrtc" else "sip"


@dataclass(frozen=True, slots=True)
class NumberCondition:
    """Numbers: one of the patterns or lists, and none of the excluded lists."""

    patterns: tuple[Pattern, ...] = ()
    lists: Mapping[str, NumberList] = field(default_factory=dict)
    excluded: Mapping[str, NumberList] = field(default_factory=dict)

    def matches(self, forms: tuple[str, ...]) -> bool:
        """Whether a number, in any of its forms, is meant."""
        if any(each.matches(forms) for each in self.excluded.values()):
            return False
        if not self.patterns and not self.lists:
            return True
        for pattern in self.patterns:
            for form in forms:
                if pattern.matches(form):
                    return True
        return any(each.matches(forms) for each in self.lists.values())

    def shown(self) -> str:
        """For messages."""
        words = list(dict.fromkeys(pattern.text for pattern in self.patterns))
        words += [f"in {name}" for name in self.lists] + [f"not in {name}" for name in self.excluded]
        return ", ".join(words)

    def covers(self, other: "NumberCondition | None") -> bool:
        """Whether everything that `other` means surely is meant here."""
        if other is None or self.excluded:
            return False
        if any(name not in self.lists for name in other.lists):
            return False
        if not other.patterns and not other.lists:
            return any(pattern.text == "*" for pattern in self.patterns)
        return all(any(mine.covers(theirs) for mine in self.patterns) for theirs in other.patterns)


@dataclass(frozen=True, slots=True)
class HoursCondition:
    """Open, or closed."""

    name: str
    hours: Hours
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that must hold for a route; None: anything."""

    to: NumberCondition | None = None
    from_: NumberCondition | None = None
    trunks: tuple[str, ...] | None = None
    headers: Mapping[str, Pattern] | None = None
    """Names in lower case."""
    hours: HoursCondition | None = None
    sources: tuple[CallSource, ...] | None = None
    percent: float | None = None
    variables: Mapping[str, Pattern] | None = None
    purpose: str = ""
    """What `percent` is drawn for: the route's name."""

    def unmet(self, subject: Subject) -> ConditionName | None:
        """The first condition that does not hold; None: all hold."""
        if self.to is not None and not self.to.matches(subject.to_forms):
            return "to"
        if self.from_ is not None and not self.from_.matches(subject.from_forms):
            return "from"
        facts, assumed = subject.facts, subject.assumed
        if self.trunks is not None and facts.trunk not in self.trunks and "trunk" not in assumed:
            return "trunk"
        if self.sources is not None and subject.source not in self.sources and "kind" not in assumed:
            return "kind"
        if self.headers is not None and "header" not in assumed and self._unmet_header(subject):
            return "header"
        if self.variables is not None and self._unmet_variable(subject):
            return "variables"
        if self.hours is not None and self.hours.hours.is_open(subject.at) == self.hours.negated:
            return "hours"
        if self.percent is not None and not within(subject.caller, self.purpose, self.percent):
            return "percent"
        return None

    def _unmet_header(self, subject: Subject) -> str:
        found = subject.facts.headers
        for name, pattern in (self.headers or {}).items():
            fits = name in found and pattern.matches(found[name])
            if not fits and assumed_header(name) not in subject.assumed:
                return name
        return ""

    def _unmet_variable(self, subject: Subject) -> str:
        found = subject.facts.variables
        for name, pattern in (self.variables or {}).items():
            if name not in found or not pattern.matches(found[name]):
                return name
        return ""

    def why_not(self, subject: Subject) -> str:
        """The first unmet condition in words; empty when all hold."""
        facts = subject.facts
        match self.unmet(subject):
            case None:
                return ""
            case "to":
                return f"to is {facts.to_number}, not {self.to.shown() if self.to else ''}"
            case "from":
                wanted = self.from_.shown() if self.from_ else ""
                return f"from is {facts.from_number or 'unknown'}, not {wanted}"
            case "trunk":
                return f"trunk is {facts.trunk or 'none'}, not {', '.join(self.trunks or ())}"
            case "kind":
                return f"kind is {subject.source}, not {', '.join(self.sources or ())}"
            case "header":
                return self._why_not_header(subject)
            case "variables":
                name = self._unmet_variable(subject)
                wanted = (self.variables or {})[name].text
                return f"variable {name} is {facts.variables.get(name, 'not set')}, not {wanted}"
            case "hours":
                return self._why_not_hours(subject)
            case "percent":
                return f"the caller is not among the {self.percent:g}%"

    def _why_not_header(self, subject: Subject) -> str:
        name = self._unmet_header(subject)
        wanted = (self.headers or {})[name].text
        return f"header {name} is {subject.facts.headers.get(name, 'not there')}, not {wanted}"

    def _why_not_hours(self, subject: Subject) -> str:
        if self.hours is None:
            return ""
        if self.hours.negated:
            return f"{self.hours.name} is open"
        return f"{self.hours.name} is closed ({self.hours.hours.why_closed(subject.at)})"

    def assumptions(self, subject: Subject) -> tuple[str, ...]:
        """What was taken for granted, in words."""
        said = []
        if self.trunks is not None and "trunk" in subject.assumed:
            said.append(f"trunk {' or '.join(self.trunks)}")
        if self.sources is not None and "kind" in subject.assumed:
            said.append(f"kind {' or '.join(self.sources)}")
        for name, pattern in (self.headers or {}).items():
            if not subject.assumed.isdisjoint(("header", assumed_header(name))):
                said.append(f"header {name}: {pattern.text}")
        return tuple(said)

    def covers(self, other: "Conditions") -> bool:
        """Whether a route with these conditions takes every call that `other` would."""
        return (
            (self.to is None or self.to == other.to or self.to.covers(other.to))
            and (self.from_ is None or self.from_ == other.from_ or self.from_.covers(other.from_))
            and _same_or_more(self.trunks, other.trunks)
            and _same_or_more(self.sources, other.sources)
            and _same_or_fewer(self.headers, other.headers)
            and _same_or_fewer(self.variables, other.variables)
            and (self.hours is None or self.hours == other.hours)
            and (self.percent is None or self.percent >= 100)
        )

    @property
    def only_numbers(self) -> bool:
        """Whether nothing but `to` is asked for."""
        return self.to is not None and all(
            each is None
            for each in (
                self.from_,
                self.trunks,
                self.headers,
                self.hours,
                self.sources,
                self.percent,
                self.variables,
            )
        )


def _same_or_more(mine: tuple[str, ...] | None, theirs: tuple[str, ...] | None) -> bool:
    return mine is None or (theirs is not None and set(mine) >= set(theirs))


def _same_or_fewer(mine: Mapping[str, Pattern] | None, theirs: Mapping[str, Pattern] | None) -> bool:
    return all((theirs or {}).get(name) == pattern for name, pattern in (mine or {}).items())
