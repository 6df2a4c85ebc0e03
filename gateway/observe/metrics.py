"""What /metrics exports, in Prometheus' terms."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.core.record import CallRecord
from gateway.observe.node_metrics import NodeCollector, NodeState
from gateway.observe.talk_metrics import TalkMetrics

_SETUP_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10)
_TURN_S = (
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.12,
    0.14,
    0.16,
    0.18,
    0.2,
    0.22,
    0.24,
    0.26,
    0.28,
    0.3,
    0.4,
    0.5,
    0.7,
    1,
    1.5,
    2,
    3,
    5,
)


_MOS = (1.5, 2, 2.58, 3.1, 3.6, 4.03, 4.34)
"""From ITU-T G.107 Annex B on: the borders of what callers think of a line."""


class _EdgeCollector(Collector):
    """The edge's counters as it last reported them."""

    def __init__(self) -> None:
        self.values: Mapping[str, float] = {}

    def collect(self) -> list[Metric]:
        """One family per name."""
        return [
            GaugeMetricFamily(f"gateway_edge_{name}", "Reported by the edge.", value=value)
            for name, value in sorted(self.values.items())
        ]


class Metrics:
    """Counters and histograms of one core process."""

    def __init__(self, live_calls: Callable[[], float], connected_cards: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self._edge = _EdgeCollector()
        self.registry.register(self._edge)
        self._node = NodeCollector()
        self.registry.register(self._node)
        self._talk = TalkMetrics(self.registry)
        live = Gauge("gateway_calls_live", "Calls in progress.", registry=self.registry)
        live.set_function(live_calls)
        cards = Gauge("gateway_cards_connected", "Line cards the core talks to.", registry=self.registry)
        cards.set_function(connected_cards)
        self._calls = Counter(
            "gateway_calls", "Finished calls.", ["agent", "result", "reason"], registry=self.registry
        )
        self._seconds = Counter("gateway_call_seconds", "Answered time.", ["agent"], registry=self.registry)
        self._setup = self._histogram("gateway_setup_seconds", "INVITE to 200.", _SETUP_S)
        self._first = self._histogram(
            "gateway_first_utterance_seconds", "Answer to first agent audio on the wire.", _TURN_S
        )
        self._response = self._histogram(
            "gateway_response_delay_seconds",
            "Caller's end of speech to first audio (each turn).",
            _TURN_S,
        )
        self._barge_in = self._histogram(
            "gateway_barge_in_stop_seconds",
            "Caller's onset to silence on the wire (each interruption).",
            _TURN_S,
        )
        self._lost = Counter(
            "gateway_rtp_lost_packets", "Packets from callers that got lost.", registry=self.registry
        )
        self._dropped = Counter(
            "gateway_dropped_audio_seconds",
            "Audio thrown away.",
            ["where"],
            registry=self.registry,
        )
        self._reconnects = Counter(
            "gateway_backend_reconnects", "Sessions opened anew mid-call.", ["agent"], registry=self.registry
        )
        self._mos = Histogram(
            "gateway_call_mos",
            "Quality of the caller's line, the worse direction (mean of a call, ITU-T G.107).",
            buckets=_MOS,
            registry=self.registry,
        )
        self._tiers = Counter(
            "gateway_tier_changes",
            "Changes of codec, bitrate or packet time because of the network.",
            registry=self.registry,
        )
        self._webhooks = Counter(
            "gateway_webhooks",
            "Messages to webhook receivers: delivered, failed, or dropped unsent.",
            ["event", "outcome"],
            registry=self.registry,
        )
        self._slow_listeners = Counter(
            "gateway_slow_event_clients",
            "Clients of event streams that read too slowly.",
            registry=self.registry,
        )

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, words, ["agent"], buckets=buckets, registry=self.registry)

    def watch(self, state: NodeState) -> None:
        """Where the node's state is read from now on."""
        self._node.state = state

    def edge_counters(self, values: Mapping[str, float]) -> None:
        """What the edge reports each second."""
        self._edge.values = values

    def call_ended(self, record: CallRecord) -> None:
        """Count a finished call."""
        agent = record.agent
        self._calls.labels(agent, record.result.value, record.reason.value).inc()
        self._seconds.labels(agent).inc(record.billable_s)
        self._lost.inc(record.rx_lost)
        self._dropped.labels("uplink").inc(record.uplink_dropped_ms / 1000)
        self._dropped.labels("playout").inc(record.playout_dropped_ms / 1000)
        self._reconnects.labels(agent).inc(record.reconnects)
        self._tiers.inc(record.tier_changes)
        if record.mos_mean is not None:
            self._mos.observe(record.mos_mean)
        talk = self._talk.call_ended(record)
        for histogram, value_ms, each_ms in (
            (self._setup, record.setup_ms, ()),
            (self._first, record.first_utterance_ms, ()),
            (self._response, record.response_delay_p50_ms, talk.response_delays_ms),
            (self._barge_in, record.barge_in_stop_p50_ms, talk.stops_ms),
        ):
            if value_ms is not None:
                # A timeline that lost its middle still has the median.
                for one_ms in each_ms or (value_ms,):
                    histogram.labels(agent).observe(one_ms / 1000)

    def webhook_done(self, event: str, outcome: str) -> None:
        """A message to a receiver of webhooks came to its end."""
        self._webhooks.labels(event, outcome).inc()

    def event_client_dropped(self) -> None:
        """A client of an event stream read too slowly."""
        self._slow_listeners.inc()

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)
