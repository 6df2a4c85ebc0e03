"""The state of the node at the moment it is asked for, in Prometheus' terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

BREAKER_STATES = ("closed", "half_open", "open")


@dataclass(frozen=True, slots=True)
class NodeState:
    """Where to look; each is asked at every scrape."""

    breakers: Callable[[], Mapping[str, str]] = field(default=dict)
    """Agent to the state of its circuit breaker."""
    queues: Callable[[], Mapping[str, int]] = field(default=dict)
    """Queue to the callers that wait in it."""
    dialplan: Callable[[], str] = field(default=str)
    """Digest of the plan in force."""
    skipped_ticks: Callable[[], int] = field(default=int)
    """Of the clock of mixes."""


class NodeCollector(Collector):
    """Reads the state when metrics are collected."""

    def __init__(self) -> None:
        self.state = NodeState()

    def collect(self) -> list[Metric]:
        """One family per figure."""
        breakers = GaugeMetricFamily(
            "gateway_agent_breaker",
            "1 for the state that the agent's circuit breaker is in.",
            labels=["agent", "state"],
        )
        for agent, state in sorted(self.state.breakers().items()):
            for each in BREAKER_STATES:
                breakers.add_metric([agent, each], float(each == state))
        queues = GaugeMetricFamily("gateway_queue_length", "Callers that wait.", labels=["queue"])
        for queue, length in sorted(self.state.queues().items()):
            queues.add_metric([queue], length)
        plan = GaugeMetricFamily("gateway_dialplan_info", "The plan in force.", labels=["version"])
        plan.add_metric([self.state.dialplan()], 1)
        skipped = CounterMetricFamily(
            "gateway_mix_skipped_ticks",
            "20 ms that mixes of several parties left out because the core was late.",
            value=self.state.skipped_ticks(),
        )
        return [breakers, queues, plan, skipped]
