"""A synthetic call for the tests: what the caller sent and what came back, made from numbers."""

import numpy as np
from numpy.typing import NDArray

from gateway.media.g711 import ulaw_encode
from gateway.rehearse.ear import Packet
from gateway.rehearse.phone import Trace
from gateway.rehearse.player import Spoken

Samples = NDArray[np.float32]
RATE_HZ = 8000
ANSWERED_S = 1000.0
LENGTH_S = 12.0


def voice(duration_s: float, amplitude: float = 4000) -> Samples:
    """A tone that fades in and out within 20 ms, as no word begins or ends at full level."""
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    fade = np.minimum(1, np.minimum(t, duration_s - t) / 0.02)
    return (amplitude * fade * np.sin(2 * np.pi * 300 * t)).astype(np.float32)


def agent(*spans: tuple[float, float], length_s: float = LENGTH_S) -> Samples:
    """An agent that speaks within these spans, seconds from the answer."""
    line = np.zeros(round(length_s * RATE_HZ), np.float32)
    for begin_s, end_s in spans:
        sound = voice(end_s - begin_s)
        at = round(begin_s * RATE_HZ)
        line[at : at + len(sound)] = sound
    return line


def packets(
    line: Samples, late_s: NDArray[np.float64] | None = None, first_seq: int = 65_500
) -> list[Packet]:
    """The line in packets of 20 ms, each `late_s` later than at once; sorted by arrival."""
    data = ulaw_encode(np.rint(line).astype("<i2").tobytes())
    found = []
    for number in range(len(data) // 160):
        wait_s = 0.0 if late_s is None else float(late_s[number])
        found.append(
            Packet(
                ANSWERED_S + number * 0.02 + wait_s,
                (first_seq + number) % 2**16,
                (2**32 - 3200 + number * 160) % 2**32,
                7,
                data[number * 160 : number * 160 + 160],
            )
        )
    return sorted(found, key=lambda packet: packet.arrived_s)


def spoken(kind: str, begin_s: float, end_s: float, *, over: bool = False) -> Spoken:
    """A sound of the caller whose first packet goes out 20 ms after `begin_s`, seconds from the answer."""
    frame = round(begin_s * 50)
    return Spoken(kind, kind, frame, 0.0, (end_s - begin_s) * 1000, over)  # type: ignore[arg-type]


def trace(
    heard: list[Packet],
    *said: Spoken,
    length_s: float = LENGTH_S,
    quiet: tuple[tuple[float, float], ...] = (),
) -> Trace:
    """A call that was answered after 100 ms; frame n is at the mouth from n × 20 ms on."""
    frames = round(length_s * 50)
    return Trace(
        number=1,
        script="test",
        invited_s=ANSWERED_S - 0.1,
        answered_s=ANSWERED_S,
        ended_s=ANSWERED_S + length_s,
        far_end_hung_up=False,
        failure="",
        heard=tuple(heard),
        sent_s=tuple(ANSWERED_S + (n + 1) * 0.02 for n in range(frames)),
        sent=(b"\xff" * 160,) * frames,
        spoken=said,
        quiet=tuple((ANSWERED_S + a, ANSWERED_S + b) for a, b in quiet),
    )
