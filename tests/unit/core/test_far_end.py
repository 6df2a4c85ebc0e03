"""What the far end has heard of what was sent."""

import pytest

from gateway.core.far_end import delay_to_ear_ms, heard_ms


@pytest.mark.parametrize(
    ("rtt_ms", "jitter_ms", "buffer_ms", "delay_ms"),
    [
        pytest.param(0.0, 0.0, None, 20.0, id="a perfect network still waits for the packet"),
        pytest.param(100.0, 0.0, None, 70.0, id="half of the round trip"),
        pytest.param(100.0, 20.0, None, 110.0, id="three jitters of buffer"),
        pytest.param(100.0, 20.0, 150.0, 200.0, id="a buffer that is known"),
        pytest.param(None, None, None, 0.0, id="nothing is known"),
        pytest.param(None, 15.0, None, 45.0, id="only the jitter is known"),
        pytest.param(90_000.0, 5_000.0, None, 700.0, id="reports that cannot be"),
        pytest.param(60.0, 10.0, 9_999.0, 230.0, id="a buffer that cannot be"),
    ],
)
def test_the_delay_to_the_ear(
    rtt_ms: float | None, jitter_ms: float | None, buffer_ms: float | None, delay_ms: float
) -> None:
    assert delay_to_ear_ms(rtt_ms, jitter_ms, buffer_ms) == pytest.approx(delay_ms)


def test_what_is_under_way_was_not_heard() -> None:
    assert heard_ms(1180, 110.0) == 1070


def test_it_arrives_while_the_agent_pauses() -> None:
    assert heard_ms(1180, 110.0, 60.0) == 1130
    assert heard_ms(1180, 110.0, 600.0) == 1180


def test_nothing_is_heard_before_it_arrives() -> None:
    assert heard_ms(60, 110.0) == 0


def test_clocks_of_two_processes_may_disagree_by_a_little() -> None:
    assert heard_ms(500, 50.0, -1.0) == 450
