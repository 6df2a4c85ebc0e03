"""What Prometheus gets to see."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.core.record import TimelineEvent, TimelineKind
from gateway.core.termination import Reason, Result
from gateway.observe.metrics import Metrics
from gateway.observe.node_metrics import NodeState
from tests.unit.store.records import record

Labels = frozenset[tuple[str, str]]


def samples(metrics: Metrics) -> dict[tuple[str, Labels], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(lambda: 3, lambda: 2)


AGENT = frozenset({("agent", "receptionist")})


def test_gauges_are_read_when_asked_for(metrics: Metrics) -> None:
    seen = samples(metrics)
    assert seen["gateway_calls_live", frozenset()] == 3
    assert seen["gateway_cards_connected", frozenset()] == 2


def test_a_finished_call_is_counted_with_its_figures(metrics: Metrics) -> None:
    metrics.call_ended(record(uplink_dropped_ms=400.0, playout_dropped_ms=1500.0, reconnects=1))
    metrics.call_ended(record(2, reason=Reason.RTP_TIMEOUT, result=Result.FAILED))
    seen = samples(metrics)
    ended = AGENT | {("result", "completed"), ("reason", "caller_hangup")}
    assert seen["gateway_calls_total", frozenset(ended)] == 1
    failed = AGENT | {("result", "failed"), ("reason", "rtp_timeout")}
    assert seen["gateway_calls_total", frozenset(failed)] == 1
    assert seen["gateway_call_seconds_total", AGENT] == pytest.approx(2 * 31.08)
    assert seen["gateway_setup_seconds_sum", AGENT] == pytest.approx(2 * 0.42)
    assert seen["gateway_response_delay_seconds_count", AGENT] == 2
    assert seen["gateway_barge_in_stop_seconds_sum", AGENT] == pytest.approx(2 * 0.096)
    assert seen["gateway_rtp_lost_packets_total", frozenset()] == 4
    assert seen["gateway_dropped_audio_seconds_total", frozenset({("where", "uplink")})] == pytest.approx(0.4)
    assert seen["gateway_dropped_audio_seconds_total", frozenset({("where", "playout")})] == 1.5
    assert seen["gateway_backend_reconnects_total", AGENT] == 1


def test_a_call_that_was_never_answered_has_no_delays(metrics: Metrics) -> None:
    metrics.call_ended(
        record(
            agent="",
            setup_ms=None,
            first_utterance_ms=None,
            response_delay_p50_ms=None,
            barge_in_stop_p50_ms=None,
        )
    )
    assert not any(name.endswith("_seconds_count") for name, _ in samples(metrics))


def test_the_response_delay_is_resolved_near_its_goals(metrics: Metrics) -> None:
    metrics.call_ended(record(response_delay_p50_ms=105.0))
    buckets = {
        float(value): count
        for (name, labels), count in samples(metrics).items()
        if name == "gateway_response_delay_seconds_bucket"
        for key, value in labels
        if key == "le"
    }
    assert (buckets[0.1], buckets[0.12]) == (0, 1)


def test_the_edges_counters_are_passed_on(metrics: Metrics) -> None:
    metrics.edge_counters({"requests": 5.0, "refused": 1.0})
    metrics.edge_counters({"requests": 7.0})
    seen = samples(metrics)
    assert seen["gateway_edge_requests", frozenset()] == 7
    assert ("gateway_edge_refused", frozenset()) not in seen


def test_no_label_holds_a_number(metrics: Metrics) -> None:
    metrics.call_ended(record(peer="udp:192.0.2.7:5060"))
    text = metrics.render().decode()
    assert "4930" not in text
    assert "192.0.2.7" not in text


def test_webhooks_are_counted_by_how_they_ended(metrics: Metrics) -> None:
    metrics.webhook_done("call.ended", "delivered")
    metrics.webhook_done("call.ended", "delivered")
    metrics.webhook_done("call.ended", "dropped")
    seen = samples(metrics)
    assert seen["gateway_webhooks_total", frozenset({("event", "call.ended"), ("outcome", "delivered")})] == 2
    assert seen["gateway_webhooks_total", frozenset({("event", "call.ended"), ("outcome", "dropped")})] == 1


def test_slow_listeners_are_counted(metrics: Metrics) -> None:
    assert samples(metrics)["gateway_slow_event_clients_total", frozenset()] == 0
    metrics.event_client_dropped()
    assert samples(metrics)["gateway_slow_event_clients_total", frozenset()] == 1


def test_each_turn_of_a_timeline_is_counted(metrics: Metrics) -> None:
    parts = {"detection_ms": 500.0, "backend_ms": 300.0, "gateway_ms": 1.0, "playout_ms": 20.0}
    metrics.call_ended(
        record(
            underruns=3,
            rtt_ms=40.0,
            timeline=(
                TimelineEvent(1.0, TimelineKind.AGENT_AUDIO, {"response_delay_ms": 821.0, **parts}),
                TimelineEvent(2.0, TimelineKind.AGENT_AUDIO, {"response_delay_ms": 400.0}),
                TimelineEvent(3.0, TimelineKind.AGENT_RESUMED, {"cause": "noise"}),
                TimelineEvent(4.0, TimelineKind.SILENCE, {"duration_ms": 2500, "after": "caller"}),
                TimelineEvent(5.0, TimelineKind.AGENT_SILENT, {}),
                TimelineEvent(900.0, TimelineKind.AGENT_AUDIO, {"over_caller": True}),
                TimelineEvent(
                    950.0, TimelineKind.TOOL_RESULT, {"name": "f", "outcome": "ok", "took_ms": 70.0}
                ),
                TimelineEvent(
                    960.0, TimelineKind.TOOL_RESULT, {"name": "no\nsuch", "outcome": "unknown", "took_ms": 0}
                ),
            ),
        )
    )
    seen = samples(metrics)
    assert seen["gateway_response_delay_seconds_count", AGENT] == 2
    assert seen["gateway_response_delay_seconds_sum", AGENT] == pytest.approx(1.221)
    assert seen["gateway_response_part_seconds_sum", AGENT | {("part", "backend")}] == pytest.approx(0.3)
    assert seen["gateway_response_part_seconds_count", AGENT | {("part", "gateway")}] == 1
    assert seen["gateway_false_interruptions_total", AGENT | {("kind", "resumed")}] == 1
    assert seen["gateway_false_interruptions_total", AGENT | {("kind", "no_words")}] == 0
    assert seen["gateway_agent_interruptions_total", AGENT] == 1
    assert seen["gateway_silence_seconds_sum", AGENT | {("after", "caller")}] == 2.5
    assert seen["gateway_tool_seconds_count", frozenset({("tool", "f"), ("outcome", "ok")})] == 1
    assert seen["gateway_tool_seconds_count", frozenset({("tool", ""), ("outcome", "unknown")})] == 1
    assert seen["gateway_playout_underruns_total", AGENT] == 3
    assert seen["gateway_rtp_rtt_seconds_sum", AGENT] == pytest.approx(0.04)
    assert seen["gateway_rtp_loss_ratio_sum", AGENT] == pytest.approx(2 / 1552)


def test_the_gateways_share_is_resolved_near_its_goal(metrics: Metrics) -> None:
    fields = {"response_delay_ms": 500.0, "gateway_ms": 35.0}
    metrics.call_ended(record(timeline=(TimelineEvent(1.0, TimelineKind.AGENT_AUDIO, fields),)))
    name = "gateway_response_part_seconds_bucket"
    seen = samples(metrics)
    below, above = (seen[name, AGENT | {("part", "gateway"), ("le", le)}] for le in ("0.03", "0.04"))
    assert (below, above) == (0, 1)


def test_the_state_of_the_node_is_read_when_asked_for(metrics: Metrics) -> None:
    seen = samples(metrics)
    assert seen["gateway_mix_skipped_ticks_total", frozenset()] == 0
    state = {"receptionist": "open"}
    metrics.watch(NodeState(lambda: state, lambda: {"sales": 2}, lambda: "abc", lambda: 7))
    seen = samples(metrics)
    assert seen["gateway_agent_breaker", AGENT | {("state", "open")}] == 1
    assert seen["gateway_agent_breaker", AGENT | {("state", "closed")}] == 0
    assert seen["gateway_queue_length", frozenset({("queue", "sales")})] == 2
    assert seen["gateway_dialplan_info", frozenset({("version", "abc")})] == 1
    assert seen["gateway_mix_skipped_ticks_total", frozenset()] == 7
    state["receptionist"] = "closed"
    assert samples(metrics)["gateway_agent_breaker", AGENT | {("state", "closed")}] == 1
