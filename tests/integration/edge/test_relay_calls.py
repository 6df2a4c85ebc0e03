"""Whole WebRTC calls through the relay: a stock aiortc client, a real card, a stand-in core."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np
import pytest

from gateway.core.ids import LegId
from tests.integration.card.core import StandInCore
from tests.integration.edge.ice_peers import Address
from tests.integration.edge.relays import SECRET, RunningRelay, running_relay
from tests.integration.webrtc_card.cards import running_card
from tests.integration.webrtc_card.client import Client, loudest_hz
from tests.sounds import tone

_RATE_HZ = 16000
_RECOVERED_S = 8.0
"""aioice asks every 4 to 6 s."""
_BROWSER_ASKS_EVERY_S = 2.5
_BROWSER_RECOVERED_S = 5.0


class _Nat(asyncio.DatagramProtocol):
    """Stands between a client and the relay, and can take another port towards the relay."""

    def __init__(self, relay: Address) -> None:
        self._relay = relay
        self._client: Address | None = None
        self._outer: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._inner, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = int(self._inner.get_extra_info("sockname")[1])
        await self.rebind()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._inner.close()
        if self._outer is not None:
            self._outer.close()

    async def rebind(self) -> None:
        """Another port; what comes for the old one is lost."""
        loop = asyncio.get_running_loop()
        before = self._outer
        self._outer, _ = await loop.create_datagram_endpoint(
            lambda: _Outside(self), remote_addr=self._relay, family=socket.AF_INET
        )
        if before is not None:
            before.close()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._client = addr
        if self._outer is not None:
            self._outer.sendto(data)

    def inward(self, data: bytes) -> None:
        """From the relay."""
        if self._client is not None:
            self._inner.sendto(data, self._client)


class _Outside(asyncio.DatagramProtocol):
    def __init__(self, nat: _Nat) -> None:
        self._nat = nat

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._nat.inward(data)


@dataclass
class _Call:
    relay: RunningRelay
    core: StandInCore
    client: Client
    leg: LegId
    nat: _Nat

    async def heard_by_core(self, duration_s: float) -> float:
        """The frequency that the core hears from now on."""
        heard = self.core.heard[self.leg]
        start = len(heard)
        size = int(duration_s * _RATE_HZ) * 2
        await self.core.until(lambda: len(heard) >= start + size, within_s=duration_s + 10)
        return loudest_hz(np.frombuffer(bytes(heard[start:]), np.int16), _RATE_HZ)

    async def heard_by_client(self, since_s: float, within_s: float = 10) -> float:
        """The frequency of the first half second of sound that the client hears after `since_s`."""

        def sounding() -> list[np.ndarray]:
            return [pcm for at_s, pcm in self.client.heard if at_s > since_s and np.abs(pcm).max() > 1000]

        await self.client.until(lambda: len(sounding()) >= 25, within_s=within_s)
        return loudest_hz(np.concatenate(sounding()), 48000)

    def play(self, seconds: float) -> None:
        """A tone to the client."""
        self.core.play(self.leg, tone(1000, round(seconds * 1000), _RATE_HZ))


@asynccontextmanager
async def _call() -> AsyncIterator[_Call]:
    async with running_relay() as relay, _Nat(relay.address) as nat:
        listen = "{}:{}".format(*relay.address)
        webrtc = {"listen": listen, "advertise": [f"127.0.0.1:{nat.port}"]}
        async with running_card(webrtc, secret=SECRET) as card, Client(frequency_hz=440) as client:
            core = await StandInCore.connect(card.socket_path)
            try:
                leg = await client.call(core)
                yield _Call(relay, core, client, leg, nat)
            finally:
                await core.close()


async def test_a_tone_is_heard_both_ways() -> None:
    async with _call() as call:
        call.play(3)
        assert await call.heard_by_client(0) == pytest.approx(1000, abs=10)
        assert await call.heard_by_core(0.5) == pytest.approx(440, abs=10)
        assert await call.relay.counted("relay_peers", lambda count: count == 1)
        assert call.relay.keeper.counters().get("relay_dropped_unproved_total", 0) == 0


async def test_the_call_survives_a_nat_that_rebinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", _BROWSER_ASKS_EVERY_S)
    async with _call() as call:
        call.play(20)
        assert await call.heard_by_client(0) == pytest.approx(1000, abs=10)
        await call.nat.rebind()
        since_s = time.monotonic()
        assert await call.heard_by_client(since_s + 0.1, _BROWSER_RECOVERED_S) == pytest.approx(1000, abs=10)
        assert await call.heard_by_core(0.5) == pytest.approx(440, abs=10)
        await call.relay.counted("relay_route_switches_total", lambda count: count == 1)


async def test_the_call_survives_the_death_of_the_relay_worker() -> None:
    async with _call() as call:
        call.play(20)
        assert await call.heard_by_client(0) == pytest.approx(1000, abs=10)
        (worker,) = call.relay.pids()
        os.kill(worker, signal.SIGKILL)
        since_s = time.monotonic()
        assert await call.heard_by_client(since_s + 0.1, _RECOVERED_S) == pytest.approx(1000, abs=10)
        assert await call.heard_by_core(0.5) == pytest.approx(440, abs=10)
