"""What the relay adds to the way of a packet, and what a packet costs it.

    python -m tests.bench.relay_latency --peers 60 --seconds 10

Every peer sends and gets 50 packets of 172 bytes a second, evenly spread, first straight over loopback,
then through one relay worker. Arrival times are the kernel's, so that only the way itself is measured.
"""

import argparse
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.config.models import GatewayConfig
from gateway.config.webrtc import AddressPort, WebrtcConfig
from gateway.edge.relay.ports import bind
from gateway.edge.relay.stun import transaction
from gateway.wire.ufrag import SECRET_VARIABLE, encode
from tests.integration.processes import free_sip_port
from tests.unit.edge.relay.messages import REQUEST, SUCCESS, answer, message, request

_SO_TIMESTAMPNS: Final = 35
_FPS: Final = 50
_PAYLOAD: Final = struct.Struct("<12sd152s")
_SECRET: Final = bytes(range(32))
_LOOPBACK: Final = "127.0.0.1"
_ATTEMPTS: Final = 100


@dataclass
class _Pair:
    """A client and its peer in a card; `there` and `back` are where each of them sends."""

    client: socket.socket
    card: socket.socket
    there: tuple[str, int]
    back: tuple[str, int]


def _socket(stack: ExitStack) -> socket.socket:
    made = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    made.bind((_LOOPBACK, 0))
    made.settimeout(0.2)
    made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return made


def _direct(stack: ExitStack) -> _Pair:
    client, card = _socket(stack), _socket(stack)
    return _Pair(client, card, card.getsockname(), client.getsockname())


def _relayed(stack: ExitStack, relay: tuple[str, int]) -> _Pair:
    """A pair whose route is committed and proved. Raises `TimeoutError`."""
    client, card = _socket(stack), _socket(stack)
    ufrag = encode(card.getsockname()[1], _SECRET)
    for _ in range(_ATTEMPTS):
        client.sendto(request(ufrag, os.urandom(12), nominated=True), relay)
        try:
            check, inner = card.recvfrom(2048)
        except TimeoutError:  # the worker is still starting
            continue
        card.sendto(answer(SUCCESS, transaction(check)), inner)
        client.recv(2048)
        asked = os.urandom(12)
        card.sendto(message(REQUEST, asked), inner)
        client.recv(2048)
        client.sendto(answer(SUCCESS, asked), relay)
        card.recv(2048)
        return _Pair(client, card, relay, inner)
    raise TimeoutError("the relay does not answer")


def _drain(receiver: socket.socket, found: list[float]) -> None:
    receiver.setblocking(False)
    while True:
        try:
            data, extra, _, _ = receiver.recvmsg(2048, 64)
        except BlockingIOError:
            return
        if len(data) != _PAYLOAD.size:
            continue  # a check that was sent twice
        seconds, nanoseconds = struct.unpack("qq", extra[0][2])
        _, sent, _ = _PAYLOAD.unpack(data)
        found.append((seconds + nanoseconds / 1e9 - sent) * 1e6)


def _run(pairs: list[_Pair], seconds: float) -> tuple[int, list[float]]:
    """Packets sent, and microseconds of those that arrived."""
    found: list[float] = []
    sends: list[Callable[[bytes], int]] = []
    for pair in pairs:
        sends.append(lambda data, pair=pair: pair.client.sendto(data, pair.there))  # type: ignore[misc]
        sends.append(lambda data, pair=pair: pair.card.sendto(data, pair.back))  # type: ignore[misc]
    random.Random(1).shuffle(sends)
    interval_s = 1 / _FPS / len(sends)
    count = int(seconds / interval_s)
    due = time.monotonic()
    for number in range(count):
        due += interval_s
        time.sleep(max(0.0, due - time.monotonic()))
        sends[number % len(sends)](_PAYLOAD.pack(b"\x80", time.time(), b""))
        if number % (len(sends) * 10) == 0:
            _drain_all(pairs, found)
    time.sleep(0.2)
    _drain_all(pairs, found)
    return count, found


def _drain_all(pairs: list[_Pair], found: list[float]) -> None:
    for pair in pairs:
        _drain(pair.client, found)
        _drain(pair.card, found)


@contextmanager
def _worker(listen: AddressPort) -> Iterator[int]:
    """A relay worker; its process id."""
    (sockets,) = bind(listen, 1)
    udp, tcp, inner = map(str, sockets.descriptors)
    config = GatewayConfig(webrtc=WebrtcConfig(listen=listen, max_peers=2000, max_peers_per_card=200))
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.edge.relay", "--udp", udp, "--tcp", tcp, "--inner", inner],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=sockets.descriptors,
        env={**os.environ, SECRET_VARIABLE: _SECRET.hex()},
    )
    try:
        assert process.stdin is not None
        process.stdin.write(config.for_child())
        process.stdin.flush()
        yield process.pid
    finally:
        process.terminate()
        process.wait()
        sockets.close()


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def _percentiles(found: list[float]) -> tuple[float, float, float]:
    cuts = statistics.quantiles(found, n=100)
    return cuts[49], cuts[94], cuts[98]


def main() -> int:
    """Measure and report; the exit status says whether the goal of 0.2 ms is met."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--peers", type=int, default=60)
    arguments.add_argument("--seconds", type=float, default=10.0)
    given = arguments.parse_args()
    with ExitStack() as stack:
        sent, found = _run([_direct(stack) for _ in range(given.peers)], given.seconds)
    direct = _percentiles(found)
    listen = AddressPort(address=_LOOPBACK, port=free_sip_port())
    with ExitStack() as stack:
        pid = stack.enter_context(_worker(listen))
        pairs = [_relayed(stack, (listen.address, listen.port)) for _ in range(given.peers)]
        before = _cpu_s(pid)
        sent, found = _run(pairs, given.seconds)
        cpu_s = _cpu_s(pid) - before
    relayed = _percentiles(found)
    lines = [
        f"{given.peers} peers, {sent} packets, {sent - len(found)} lost",
        "one way, microseconds      p50    p95    p99",
        f"straight over loopback  {direct[0]:6.0f} {direct[1]:6.0f} {direct[2]:6.0f}",
        f"through the relay       {relayed[0]:6.0f} {relayed[1]:6.0f} {relayed[2]:6.0f}",
        f"added at p50: {(relayed[0] - direct[0]) / 1000:.3f} ms",
        f"CPU: {cpu_s / sent * 1e6:.1f} us per packet, {cpu_s / given.seconds * 100:.1f} % of one core",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if relayed[0] - direct[0] <= 200 and len(found) == sent else 1


if __name__ == "__main__":
    sys.exit(main())
