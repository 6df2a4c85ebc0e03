"""The shape of a dialplan file, version 1."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.config.models import AgentName
from gateway.config.section import Expected, Section


class Match(Section):
    """Which calls a route is for."""

    to: Annotated[
        str,
        Field(pattern=r"^(\*|[^*]+\*?)$", max_length=256),
        Expected('a dialled number, a beginning such as "+4930*", or "*"'),
    ]
    """The dialled number."""


class AiStep(Section):
    """Connect the caller with an agent."""

    agent: AgentName | None = None
    """Agent of the configuration; default: the first one."""


class Step(Section):
    """One thing to do."""

    ai: AiStep
    """Connect the caller with an agent."""


class RouteEntry(Section):
    """A route as it is written."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Shown in the records of the calls that took it."""
    match: Match
    """Which calls it is for."""
    do: Annotated[list[Step], Field(min_length=1, max_length=1), Expected("a list with exactly one step")]
    """What happens with them."""


class PlanFile(Section):
    """One file of a dialplan directory."""

    version: Literal[1]
    """Version of the language."""
    routes: Annotated[list[RouteEntry], Field(min_length=1)]
    """The first one that matches takes the call."""
