"""What is left of a file with mistakes in its shape, so that the rest of it can be checked as well. Pure.

Every part that is wrong is replaced by one that is not and means nothing, in the same place, so that the
paths of everything else stay right. What was replaced is remembered: nothing may be concluded from it.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from pydantic import ValidationError

from gateway.config.document import Document
from gateway.dialplan.models import PlanFile

Kind = Literal["lists", "hours", "prompts", "flows", "variables"]
"""What routes and steps name."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_ROUNDS: Final = 8
"""Mistakes may be hidden behind others."""
_KEY: Final = "[key]"
"""In a location: it is about a key and not its value."""
_STEPS: Final = ["hangup"]
_ANYTHING: Final = {"to": "*"}


@dataclass(slots=True)
class Salvaged:
    """A file whose shape is right, and what of it is not what the author wrote."""

    file: PlanFile
    routes: set[int] = field(default_factory=set)
    """Numbers of routes whose name or conditions are not certain."""
    routes_lost: bool = False
    """There may be more routes."""
    cases: set[int] = field(default_factory=set)
    """Numbers of cases that mean nothing."""
    lists: set[str] = field(default_factory=set)
    """Lists of numbers that lack some."""
    names: set[Kind] = field(default_factory=set)
    """Kinds of which names were left out."""
    steps_lost: bool = False
    """There are steps that were left out."""
    defaults_lost: bool = False
    """Some of the defaults were left out."""


def salvage(document: Document) -> Salvaged | None:
    """The good parts of a file; None where there are none."""
    if not isinstance(document.data, dict):
        return None
    mender = _Mender(document.file, document.data)
    for _ in range(_ROUNDS):
        try:
            mender.found.file = PlanFile.model_validate(mender.data)
        except ValidationError as exc:
            for error in exc.errors(include_url=False, include_context=False, include_input=False):
                mender.mend(error["loc"])
        else:
            mender.distrust_doubles(document)
            return mender.found
    return None


class _Mender:
    """Replaces what is wrong."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.data: dict[str, Any] = deepcopy(data)
        self.found = Salvaged(PlanFile(version=1))
        self._name = name

    def mend(self, location: tuple[str | int, ...]) -> None:
        """Replace the part that a mistake is in."""
        match location:
            case ("version", *_):
                self.data["version"] = 1
            case ("routes", int(number), *rest):
                self._route(number, str(rest[0]) if rest else "")
            case ("cases", int(number), *_):
                self.data["cases"][number] = {"to": "", "expect": {"route": None}}
                self.found.cases.add(number)
            case ("defaults", str(key), *_):
                self.data["defaults"].pop(key, None)
                self.found.defaults_lost = True
            case (("lists" | "hours" | "prompts" | "flows") as kind, str(name), *rest) if _KEY in rest:
                self.data[kind].pop(name, None)
                self._forget_names(kind)
            case ("lists", str(name), *_):
                self.data["lists"][name] = []
                self.found.lists.add(name)
            case ("prompts", str(name), *_):
                self.data["prompts"][name] = name
            case ("variables", int(number), *_):
                self.data["variables"][number] = "mended"
                self.found.names.add("variables")
            case (str(key), *_):
                self._leave_out(key)

    def _route(self, number: int, key: str) -> None:
        routes, found = self.data["routes"], self.found
        name = f"{self._name}: routes[{number}]"
        if key in ("", "name", "match"):
            found.routes.add(number)
        if key in ("", "do", "split"):
            found.steps_lost = True
        match key:
            case "" if isinstance(routes[number], dict) and "split" in routes[number]:
                del routes[number]["split"]
            case "":
                routes[number] = {"name": name, "match": dict(_ANYTHING), "do": list(_STEPS)}
            case "name":
                routes[number][key] = name
            case "match":
                routes[number][key] = dict(_ANYTHING)
            case "do":
                routes[number][key] = list(_STEPS)
            case _:
                routes[number].pop(key, None)

    def _forget_names(self, key: str) -> None:
        self.found.names.update(kind for kind in KINDS if kind == key)
        self.found.steps_lost = self.found.steps_lost or key in ("routes", "flows", "defaults")

    def _leave_out(self, key: str) -> None:
        self.data.pop(key, None)
        found = self.found
        found.routes_lost = found.routes_lost or key == "routes"
        self._forget_names(key)
        found.defaults_lost = found.defaults_lost or key == "defaults"

    def distrust_doubles(self, document: Document) -> None:
        """Of a key that stands twice nobody knows which one is meant."""
        if document.problems:
            found = self.found
            found.routes |= set(range(len(found.file.routes)))
            found.cases |= set(range(len(found.file.cases)))
            found.lists |= set(found.file.lists)
            found.steps_lost = found.defaults_lost = True
