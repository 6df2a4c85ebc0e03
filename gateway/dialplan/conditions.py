"""The conditions of a route, compiled from what its `match` says."""

from collections.abc import Mapping
from typing import Final, Literal, TypeVar

from gateway.config.document import Document, KeyPath
from gateway.config.problems import Problem, show
from gateway.config.validate import nearest
from gateway.dialplan.language.hours import Hours
from gateway.dialplan.language.lists import NumberList
from gateway.dialplan.language.patterns import Pattern, parse_pattern
from gateway.dialplan.match import Conditions, HoursCondition, NumberCondition
from gateway.dialplan.models import Entry, Match
from gateway.dialplan.parts import Doubts

T = TypeVar("T")

_WORDS: Final = {"lists": "a list", "hours": "a set of hours"}


class MatchReader:
    """Compiles the conditions of one route."""

    def __init__(
        self,
        document: Document,
        path: KeyPath,
        lists: Mapping[str, NumberList],
        hours: Mapping[str, Hours],
        doubts: Doubts,
    ) -> None:
        self._document = document
        self._doubts = doubts
        self.doubtful = False
        """Whether the conditions name something that is not known."""
        self._path = path
        self._lists = lists
        self._hours = hours
        self.problems: list[Problem] = []

    def conditions(self, match: Match, purpose: str) -> Conditions:
        """Everything that the route asks for."""
        headers = match.header
        return Conditions(
            to=self._numbers(match.to, "to"),
            from_=self._numbers(match.from_, "from"),
            trunks=None if match.trunk is None else tuple(match.trunk),
            headers=None if headers is None else {k.lower(): _one(v) for k, v in headers.items()},
            hours=self._hours_condition(match.hours),
            sources=None if match.kind is None else tuple(match.kind),
            percent=match.percent,
            variables=None
            if match.variables is None
            else {name: _one(text) for name, text in match.variables.items()},
            purpose=purpose,
        )

    def _numbers(self, entries: list[Entry] | None, key: str) -> NumberCondition | None:
        if entries is None:
            return None
        patterns: list[Pattern] = []
        lists: dict[str, NumberList] = {}
        excluded: dict[str, NumberList] = {}
        for index, entry in enumerate(entries):
            if entry.kind == "pattern":
                patterns += parse_pattern(entry.word)
                continue
            path = (*self._path, key, index, entry.kind)
            if path not in self._document.values:
                path = (*self._path, key, entry.kind)
            found = self._known(self._lists, entry.word, path, "lists")
            if found is not None:
                (lists if entry.kind == "in" else excluded)[entry.word] = found
        return NumberCondition(tuple(patterns), lists, excluded)

    def _hours_condition(self, text: str | None) -> HoursCondition | None:
        if text is None:
            return None
        negated = text.startswith("not ")
        name = text.removeprefix("not ").strip()
        found = self._known(self._hours, name, (*self._path, "hours"), "hours")
        return None if found is None else HoursCondition(name, found, negated)

    def _known(
        self, among: Mapping[str, T], name: str, path: KeyPath, kind: Literal["lists", "hours"]
    ) -> T | None:
        if name in among:
            return among[name]
        self.doubtful = True
        if self._doubts.may_exist(kind, name):
            return None
        known = ", ".join(among) or "there is none"
        self.problems.append(
            self._document.problem(
                path, found=show(name), expected=f"{_WORDS[kind]} ({known})", hint=nearest(name, among)
            )
        )
        return None


def _one(text: str) -> Pattern:
    """A pattern for a text; a range has no place there, so it counts as what it says."""
    return parse_pattern(text)[0]
