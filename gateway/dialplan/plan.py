"""Which route a dialled number takes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """Numbers and the agent that answers them."""

    name: str
    to: str
    """The dialled number; with a final `*` a beginning, alone `*` every number."""
    agent: str
    """Name of the agent in the configuration."""

    def matches(self, number: str) -> bool:
        """Whether the dialled number belongs to this route."""
        if self.to.endswith("*"):
            return number.startswith(self.to[:-1])
        return number == self.to


@dataclass(frozen=True, slots=True)
class Decision:
    """What the plan says about one call."""

    route_name: str
    """Name of the route that took it; empty if none did."""
    agent: str | None
    """Agent that answers; None: no route serves the number, refuse the call."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All routes, in order."""

    routes: Sequence[Route]

    def route(self, number: str) -> Decision:
        """The first route that matches the dialled number decides."""
        for route in self.routes:
            if route.matches(number):
                return Decision(route.name, route.agent)
        return Decision("", None)
