"""The core's connection to the edge, fed by hand."""

import asyncio

import pytest

from gateway.cards.edge_link import EdgeLink
from gateway.core.ids import CardId
from gateway.wire import edge as wire
from gateway.wire.frames import FrameDecoder, FrameKind, pack_frame


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


UP = wire.CardUp(CardId(3), "sip", "/run/c3.sock", 77)
DOWN = wire.CardDown(CardId(3), 77, "signal 9")


def linked() -> tuple[EdgeLink, Transport, list[wire.EdgeToCore]]:
    said: list[wire.EdgeToCore] = []
    link, transport = EdgeLink(said.append), Transport()
    link.connection_made(transport)
    return link, transport, said


async def test_messages_are_delivered_in_order_however_they_are_cut() -> None:
    link, _, said = linked()
    stream = wire.pack_link(UP) + wire.pack_link(DOWN) + wire.pack_link(wire.Drain())
    for at in range(0, len(stream), 9):
        link.data_received(stream[at : at + 9])
    assert said == [UP, DOWN, wire.Drain()]


async def test_what_the_core_says_is_framed() -> None:
    link, transport, _ = linked()
    link.send(wire.CoreReady())
    link.send(wire.CoreCannotStart("http.listen is in use"))
    said = [wire.unpack_core_to_edge(payload) for _, payload in FrameDecoder().feed(transport.written)]
    assert said == [wire.CoreReady(), wire.CoreCannotStart("http.listen is in use")]


@pytest.mark.parametrize(
    "rubbish",
    [pack_frame(FrameKind.HEARD, b""), pack_frame(FrameKind.CONTROL, b"\xff"), b"\xff\xff\xff\xff\x00"],
)
async def test_rubbish_ends_the_connection(rubbish: bytes) -> None:
    link, transport, said = linked()
    link.data_received(rubbish)
    assert transport.aborted
    assert said == []
    link.send(wire.CoreReady())
    assert transport.written == b""


async def test_the_loss_of_the_edge_is_noticed() -> None:
    link, _, _ = linked()
    assert not link.lost.is_set()
    link.connection_lost(None)
    async with asyncio.timeout(1):
        await link.lost.wait()
