"""What the configuration offers to a dialplan: agents, trunks, people."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.config.models import GatewayConfig


@dataclass(frozen=True, slots=True)
class Trunk:
    """A trunk, as far as a plan is concerned with it."""

    region: str = ""
    """Country whose way of writing numbers it uses; empty: unknown."""
    allow: tuple[str, ...] = ()
    """Who may be dialled through it."""
    numbers: tuple[str, ...] = ()
    """Numbers and patterns whose calls come by it, where the configuration names them."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan may refer to."""

    agents: tuple[str, ...] = ()
    """The first is the default one. Empty: not known, and not checked."""
    trunks: Mapping[str, Trunk] | None = field(default_factory=dict)
    """By name; None: not known, and not checked."""
    users: tuple[str, ...] | None = ()
    """People at browsers; None: not known, and not checked."""
    variables: tuple[str, ...] = ()
    """Variables that agents may set."""

    def region(self, trunk: str) -> str:
        """Country of a trunk; empty if unknown."""
        found = (self.trunks or {}).get(trunk)
        return found.region if found else ""


UNKNOWN = Surroundings((), None, None)
"""No configuration at hand: what the plan refers to outside of itself is not checked."""


def surroundings_of(config: GatewayConfig) -> Surroundings:
    """What this configuration offers."""
    return Surroundings(
        agents=tuple(config.agents),
        trunks={
            name: Trunk(trunk.region or "", tuple(trunk.allow), tuple(trunk.numbers))
            for name, trunk in config.trunks.items()
        },
        users=tuple(config.users),
        variables=tuple(name for agent in config.agents.values() for name in agent.tools.set_variable),
    )
