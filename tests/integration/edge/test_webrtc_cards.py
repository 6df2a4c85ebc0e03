"""WebRTC cards as processes: started, announced, restarted, ended; a stand-in plays the card."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.models import GatewayConfig
from gateway.config.webrtc import AddressPort, WebrtcConfig
from gateway.core.ids import CardId
from gateway.edge.children import Lifeline
from gateway.edge.link import open_status_socket
from gateway.edge.webrtc import WebrtcSide, reachable
from gateway.edge.webrtc_cards import FIRST_CARD, START_S
from gateway.wire.edge import CardDown, CardStatus, CardUp, EdgeToCore
from tests.integration.processes import free_sip_port

_SECOND_CARD = CardId(FIRST_CARD + 1)
_CARD = "tests.integration.edge.stand_in_card"


@dataclass
class _Rig:
    run_dir: Path
    side: WebrtcSide = field(init=False)
    told: asyncio.Queue[EdgeToCore] = field(default_factory=asyncio.Queue)
    statuses: list[CardStatus] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_status(self, status: CardStatus) -> None:
        self.statuses.append(status)
        assert self.side.on_status(status)

    async def next(self) -> EdgeToCore:
        async with asyncio.timeout(30):
            return await self.told.get()

    async def up(self, count: int) -> dict[int, CardUp]:
        """The next `count` announcements, by card."""
        found = {}
        for _ in range(count):
            message = await self.next()
            assert isinstance(message, CardUp)
            found[message.card] = message
        return dict(sorted(found.items()))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def _rig(module: str = _CARD) -> AsyncIterator[_Rig]:
    listen = AddressPort(address="127.0.0.1", port=free_sip_port())
    section = WebrtcConfig(listen=listen, max_peers=7, max_peers_per_card=4)
    lifeline = Lifeline()
    with tempfile.TemporaryDirectory(prefix="gw-", dir="/tmp") as directory:
        rig = _Rig(Path(directory))
        rig.side = WebrtcSide(
            GatewayConfig(webrtc=section),
            section,
            rig.run_dir,
            lifeline,
            tell_core=rig.told.put_nowait,
            on_change=rig.changed.set,
            card_module=module,
        )
        status = await open_status_socket(rig.run_dir, rig.on_status)
        try:
            async with asyncio.TaskGroup() as group:
                rig.side.start(group)
                try:
                    yield rig
                finally:
                    await rig.side.stop()
        finally:
            rig.side.close()
            status.close()
            lifeline.cut()


async def test_enough_cards_are_announced_once_they_report() -> None:
    async with _rig() as rig:
        settled = [rig.side.settled]
        cards = await rig.up(2)
        settled.append(rig.side.settled)
        assert settled == [False, True]
        assert list(cards) == [FIRST_CARD, _SECOND_CARD]
        for card, message in cards.items():
            assert (message.kind, message.socket_path) == ("webrtc", f"{rig.run_dir}/card{card}.sock")
            os.kill(message.pid, 0)
        rig.side.on_core_connected()
        assert await rig.up(2) == cards
        assert rig.side.counters()["webrtc_cards_running"] == 2


async def test_each_card_is_told_its_share_and_where_peers_reach_it() -> None:
    async with _rig() as rig:
        await rig.up(2)
        told = {status.card: status.sip_call_ids for status in rig.statuses}
        (share, advertised, secret_bytes) = told[FIRST_CARD]
        assert (share, told[_SECOND_CARD][0]) == ("4", "3")
        assert advertised.startswith("127.0.0.1:")
        assert secret_bytes == "32"
        assert rig.side.peers == 6


async def test_a_dead_card_is_reported_and_comes_back() -> None:
    async with _rig() as rig:
        first = (await rig.up(2))[FIRST_CARD]
        os.kill(first.pid, signal.SIGKILL)
        assert await rig.next() == CardDown(first.card, first.pid, "signal 9")
        again = (await rig.up(1))[FIRST_CARD]
        assert again.pid != first.pid
        assert rig.side.counters()["webrtc_card_deaths_total"] == 1


async def test_a_card_that_shows_no_life_is_replaced() -> None:
    async with _rig() as rig:
        first = (await rig.up(2))[FIRST_CARD]
        os.kill(first.pid, signal.SIGSTOP)
        rig.side.check(asyncio.get_running_loop().time() + START_S)
        down = [await rig.next(), await rig.next()]
        assert {message.card for message in down if isinstance(message, CardDown)} == {
            FIRST_CARD,
            _SECOND_CARD,
        }
        await rig.up(2)


async def test_a_status_of_a_dead_process_brings_nothing_back() -> None:
    async with _rig() as rig:
        await rig.up(2)
        assert rig.side.on_status(CardStatus(rig.statuses[0].card, 1, 0, ()))
        assert rig.side.peers == 6
        assert rig.told.empty()


async def test_cards_that_do_not_start_leave_the_gateway_to_its_phones() -> None:
    async with _rig(module="tests.integration.edge.no_such_card") as rig:
        await rig.until(lambda: rig.side.settled)
        await rig.until(lambda: rig.side.counters()["webrtc_card_deaths_total"] >= 4)
        assert rig.told.empty()


async def test_other_cards_are_none_of_its_business() -> None:
    async with _rig() as rig:
        assert not rig.side.on_status(CardStatus(CardId(3), 1, 5060, ()))
        await rig.up(2)


async def test_nothing_is_left_behind() -> None:
    async with _rig() as rig:
        pids = [message.pid for message in (await rig.up(2)).values()]
        await rig.side.stop()
        assert [path.name for path in rig.run_dir.iterdir()] == ["status.sock"]
        for pid in pids:
            assert not Path(f"/proc/{pid}").exists()


def test_what_is_advertised() -> None:
    configured = WebrtcConfig(advertise=[AddressPort(address="203.0.113.5", port=443)])
    assert reachable(configured) is configured
    narrow = WebrtcConfig(listen=AddressPort(address="10.0.0.5", port=4000))
    assert [str(each) for each in reachable(narrow).advertise] == ["10.0.0.5:4000"]
    (found,) = reachable(WebrtcConfig()).advertise
    assert (found.port, found.address != "0.0.0.0") == (3478, True)
