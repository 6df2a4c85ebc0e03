"""The receive buffer, packet by packet and over a seeded lossy network."""

import pytest

from gateway.cards.webrtc.receive import ReceiveBuffer, Step
from tests.unit.cards.webrtc.lossy_network import LossyNetwork

CLOCK_HZ = 48000


class Line:
    """A buffer whose packets carry their own number."""

    def __init__(self, first: int = 0) -> None:
        self.buffer, self.first = ReceiveBuffer(CLOCK_HZ), first

    def push(self, number: int, now: float) -> tuple[int, ...]:
        sequence = (self.first + number) % 65536
        return self.buffer.push(sequence, (number * 960) % (1 << 32), b"%d" % number, now)

    def pull(self, now: float) -> list[str]:
        return [_word(step) for step in self.buffer.pull(now)]


def _word(step: Step) -> str:
    return step.payload.decode() if step.kind == "decode" else f"{step.kind} {step.payload.decode()}".strip()


def test_packets_in_order_are_handed_out_at_once() -> None:
    line = Line()
    for number in range(5):
        line.push(number, number * 0.02)
        assert line.pull(number * 0.02) == [str(number)]


@pytest.mark.parametrize("first", [0, 65534])
def test_a_lost_packet_is_recovered_from_the_next_one(first: int) -> None:
    line = Line(first)
    line.push(0, 0.0)
    assert line.pull(0.0) == ["0"]
    assert line.push(2, 0.04) == ((first + 1) % 65536,)
    assert line.pull(0.04) == ["recover 2", "2"]
    assert line.buffer.counters.concealed == 1


def test_a_gap_is_waited_for_as_long_as_packets_have_been_late() -> None:
    line = Line()
    for number, late_s in enumerate([0.0, 0.0, 0.05, 0.0]):
        line.push(number, number * 0.02 + late_s)
    line.pull(0.1)
    assert line.buffer.wait_s == pytest.approx(0.05)
    line.push(5, 0.1)
    assert line.pull(0.12) == []
    assert line.pull(0.1301) == ["recover 5", "5"]


def test_a_packet_that_overtook_another_waits_for_it() -> None:
    line = Line()
    for number, late_s in enumerate([0.0, 0.05, 0.0]):
        line.push(number, number * 0.02 + late_s)
    assert line.pull(0.07) == ["0", "1", "2"]
    line.push(4, 0.09)
    assert line.pull(0.09) == []
    line.push(3, 0.095)
    assert line.pull(0.095) == ["3", "4"]


def test_several_lost_packets_are_concealed_but_the_last() -> None:
    line = Line()
    line.push(0, 0.0)
    line.push(4, 0.08)
    assert line.pull(0.08) == ["0", "conceal", "conceal", "recover 4", "4"]


def test_a_long_gap_is_left_out() -> None:
    line = Line()
    line.push(0, 0.0)
    line.push(7, 0.14)
    assert line.pull(0.14) == ["0", "7"]
    assert line.buffer.counters.skipped == 6


def test_late_and_repeated_packets_are_told_apart() -> None:
    line = Line()
    line.push(0, 0.0)
    line.push(2, 0.04)
    line.pull(0.04)
    line.push(1, 0.05)
    line.push(1, 0.06)
    line.push(2, 0.06)
    line.push(4, 0.08)
    line.push(4, 0.08)
    assert (line.buffer.counters.late, line.buffer.counters.duplicates) == (1, 3)


def test_the_first_two_packets_may_come_in_the_wrong_order() -> None:
    line = Line()
    line.push(1, 0.03)
    line.push(0, 0.031)
    assert line.pull(0.04) == ["0", "1"]


def test_a_jump_begins_anew() -> None:
    line = Line()
    line.push(0, 0.0)
    line.pull(0.0)
    line.push(30_000, 0.02)
    assert line.pull(0.02) == ["30000"]
    assert line.buffer.counters.resets == 1


def test_the_wait_is_forgotten_when_the_line_has_become_quiet() -> None:
    line = Line()
    for number in range(600):
        late_s = 0.06 if number == 10 else 0.0
        line.push(number, number * 0.02 + late_s)
    assert line.buffer.wait_s == pytest.approx(0.02)


@pytest.mark.parametrize("retransmits", [True, False])
@pytest.mark.parametrize(
    ("loss", "jitter_s", "limit_ms"), [(0.05, 0.05, 80), (0.15, 0.05, 80), (0.15, 0.0, 60)]
)
def test_a_lossy_network_costs_no_audio_and_little_time(
    loss: float, jitter_s: float, limit_ms: float, retransmits: bool
) -> None:
    buffer, delays_ms = ReceiveBuffer(CLOCK_HZ), []
    network = LossyNetwork(loss, jitter_s, seed=5, retransmits=retransmits)
    arrived: list[int] = []
    pulled = 0

    def arrive(sequence: int, payload: bytes, now: float) -> tuple[int, ...]:
        arrived.append(int(payload))
        return buffer.push(sequence, int(payload) * 960 % (1 << 32), payload, now)

    def tick(now: float) -> None:
        nonlocal pulled
        for _ in buffer.pull(now):
            delays_ms.append((now - network.delay_s - (pulled + first) * 0.02) * 1000)
            pulled += 1

    first = 0
    network.run([b"%d" % k for k in range(3000)], arrive, tick)
    assert min(arrived) == first
    assert buffer.counters.skipped == 0
    assert pulled == max(arrived) + 1
    assert sorted(delays_ms)[int(len(delays_ms) * 0.95)] <= limit_ms
