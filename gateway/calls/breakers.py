"""One circuit breaker for each agent."""

from gateway.core.health.breaker import Breaker


class Breakers:
    """One circuit breaker for each agent, shared by all calls of the node."""

    def __init__(self) -> None:
        self._breakers: dict[str, Breaker] = {}

    def of(self, agent: str) -> Breaker:
        """The agent's."""
        return self._breakers.setdefault(agent, Breaker())

    def states(self, now: float) -> dict[str, str]:
        """For metrics."""
        return {agent: breaker.state(now) for agent, breaker in self._breakers.items()}
