"""What conversations were like, in Prometheus' terms; taken from the timelines of finished calls."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.core.record import CallRecord, TimelineKind
from gateway.core.talk_figures import RESPONSE_PARTS, TalkFigures, talk_figures

_PARTS_S: Final = (
    *(0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2),
    *(0.25, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 5),
)
"""The gateway's own share is to stay below 40 ms."""
_SILENCE_S: Final = (2.5, 3, 4, 5, 7, 10, 20, 60)
_TOOL_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 60)
_NETWORK_S: Final = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1)
_LOSS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)


class TalkMetrics:
    """Counters and histograms of turns, silences, functions and lines."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, words: str, labels: list[str], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, words, labels, buckets=buckets, registry=registry)

        def counter(name: str, words: str, labels: list[str]) -> Counter:
            return Counter(name, words, labels, registry=registry)

        self._parts = histogram(
            "gateway_response_part_seconds",
            "Where response delays were spent (each turn): detection, backend, gateway, playout.",
            ["agent", "part"],
            _PARTS_S,
        )
        self._false = counter(
            "gateway_false_interruptions",
            "Agent stopped for nothing: resumed, or silenced and no words followed.",
            ["agent", "kind"],
        )
        self._over_caller = counter(
            "gateway_agent_interruptions", "Agent began to speak into the caller's words.", ["agent"]
        )
        self._silences = histogram(
            "gateway_silence_seconds",
            "Silences of more than two seconds, by who spoke last.",
            ["agent", "after"],
            _SILENCE_S,
        )
        self._tools = histogram(
            "gateway_tool_seconds", "Functions that models called.", ["tool", "outcome"], _TOOL_S
        )
        self._underruns = counter(
            "gateway_playout_underruns", "Playout ran dry in the middle of an utterance.", ["agent"]
        )
        self._jitter = histogram(
            "gateway_rtp_jitter_seconds", "Jitter at the end of calls.", ["agent"], _NETWORK_S
        )
        self._rtt = histogram(
            "gateway_rtp_rtt_seconds", "Round trip at the end of calls.", ["agent"], _NETWORK_S
        )
        self._loss = histogram(
            "gateway_rtp_loss_ratio", "Share of the caller's packets that got lost.", ["agent"], _LOSS
        )

    def call_ended(self, record: CallRecord) -> TalkFigures:
        """Count a finished call; what its timeline says."""
        figures = talk_figures(record.timeline)
        agent = record.agent
        for part in RESPONSE_PARTS:
            for value_ms in figures.parts_ms[part]:
                self._parts.labels(agent, part).observe(value_ms / 1000)
        self._false.labels(agent, "resumed").inc(figures.resumed)
        self._false.labels(agent, "no_words").inc(figures.stopped_without_words)
        self._over_caller.labels(agent).inc(figures.agent_interruptions)
        for after, duration_ms in figures.silences_ms:
            self._silences.labels(agent, after).observe(duration_ms / 1000)
        self._count_tools(record)
        self._count_line(record)
        return figures

    def _count_tools(self, record: CallRecord) -> None:
        for event in record.timeline:
            if event.kind is not TimelineKind.TOOL_RESULT:
                continue
            outcome, took_ms = str(event.fields.get("outcome", "")), event.fields.get("took_ms")
            # Of a function that does not exist the model chose the name: no label.
            tool = "" if outcome == "unknown" else str(event.fields.get("name", ""))
            if isinstance(took_ms, int | float):
                self._tools.labels(tool, outcome).observe(took_ms / 1000)

    def _count_line(self, record: CallRecord) -> None:
        agent = record.agent
        self._underruns.labels(agent).inc(record.underruns)
        if record.setup_ms is None:
            return  # never answered: there was no line
        expected = record.rx_packets + record.rx_lost
        if expected:
            self._loss.labels(agent).observe(record.rx_lost / expected)
        if record.rx_jitter_ms is not None:
            self._jitter.labels(agent).observe(record.rx_jitter_ms / 1000)
        if record.rtt_ms is not None:
            self._rtt.labels(agent).observe(record.rtt_ms / 1000)
