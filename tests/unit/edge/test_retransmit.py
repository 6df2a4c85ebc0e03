"""Repetition of the edge's own messages."""

from gateway.edge.commands import Flow, SendOutside
from gateway.edge.retransmit import GIVE_UP_S, Retransmitter

_UDP = Flow("udp", 0, 0, "192.0.2.7", 5060)
_TCP = Flow("tcp", 0, 3, "192.0.2.7", 5060)
_KEY = (b"final", b"call", b"1")


def _run(machine: Retransmitter, until: float) -> list[float]:
    times: list[float] = []
    while (at := machine.next_deadline()) is not None and at <= until:
        times += [at] * len(machine.handle_timeout(at))
    return times


def test_intervals_double_up_to_the_limit_and_end() -> None:
    machine = Retransmitter()
    assert machine.send(_KEY, _UDP, b"x", 0.0) == SendOutside(_UDP, b"x")
    times = _run(machine, 100.0)
    assert times[:6] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5]
    assert times[-1] < GIVE_UP_S
    assert len(machine) == 0
    assert machine.next_deadline() is None


def test_an_answer_ends_it() -> None:
    machine = Retransmitter()
    machine.send(_KEY, _UDP, b"x", 0.0)
    assert len(_run(machine, 2.0)) == 2
    assert machine.stop(_KEY)
    assert not machine.stop(_KEY)
    assert _run(machine, 100.0) == []


def test_reliable_transport_needs_none() -> None:
    machine = Retransmitter()
    assert machine.send(_KEY, _TCP, b"x", 0.0) == SendOutside(_TCP, b"x")
    assert machine.next_deadline() is None
