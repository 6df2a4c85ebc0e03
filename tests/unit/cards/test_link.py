"""The core's connection to one card, fed by hand."""

import asyncio

import pytest

from gateway.cards.link import CardLink
from gateway.core.ids import CardId, LegId
from gateway.wire import card as wire
from gateway.wire.frames import WIRE_VERSION, FrameDecoder, FrameKind, pack_frame, pack_heard_record

CARD = CardId(2)


class Transport(asyncio.Transport):
    """Keeps what is written; `unsent_bytes` as if the card did not read."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.unsent_bytes = 0
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.aborted

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def abort(self) -> None:
        self.aborted = True


class Listener:
    """Keeps what the link tells."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def on_hello(self, link: CardLink, hello: wire.Hello) -> None:
        self.said.append(hello)

    def on_heard(self, link: CardLink, leg: LegId, pcm: bytes, flags: int) -> None:
        self.said.append((leg, pcm, flags))

    def on_message(self, link: CardLink, message: wire.FromCard) -> None:
        self.said.append(message)

    def on_disconnected(self, link: CardLink) -> None:
        self.said.append("disconnected")


class Connected:
    """A link that has just been made."""

    def __init__(self) -> None:
        self.transport, self.listener = Transport(), Listener()
        self.link = CardLink(CARD, 4711, self.listener)
        self.link.connection_made(self.transport)

    def hello(self, **changes: int) -> wire.Hello:
        fields = {"version": WIRE_VERSION, "card": 2} | changes
        return wire.Hello(fields["version"], CardId(fields["card"]), "sip", 1, 8000, wire.Capabilities())

    def hear(self, message: wire.FromCard) -> None:
        self.link.data_received(wire.pack_control(message))


def sent(transport: Transport) -> list[wire.ToCard]:
    decoder = FrameDecoder()
    return [wire.unpack_to_card(payload) for data in transport.writes for _, payload in decoder.feed(data)]


async def test_it_introduces_itself() -> None:
    it = Connected()
    await asyncio.sleep(0)
    assert sent(it.transport) == [wire.Attach(WIRE_VERSION, 4711)]


async def test_everything_of_one_turn_leaves_in_one_write() -> None:
    it = Connected()
    await asyncio.sleep(0)
    for leg in range(10):
        it.link.send(wire.pack_control(wire.Ring(LegId(leg))))
    assert len(it.transport.writes) == 1
    await asyncio.sleep(0)
    assert len(it.transport.writes) == 2
    assert [message.leg for message in sent(it.transport)[1:] if isinstance(message, wire.Ring)] == list(
        range(10)
    )


async def test_a_tick_split_anywhere_is_heard_once_whole() -> None:
    it = Connected()
    it.hear(it.hello())
    tick = pack_frame(FrameKind.HEARD, pack_heard_record(LegId(1), 0, bytes(320)))
    it.link.data_received(tick[:7])
    it.link.data_received(tick[7:300])
    assert it.listener.said == [it.hello()]
    it.link.data_received(tick[300:] + tick)
    assert it.listener.said[1:] == [(1, bytes(320), 0)] * 2


@pytest.mark.parametrize(
    "rubbish",
    [
        pack_frame(FrameKind.CONTROL, b"rubbish"),
        pack_frame(FrameKind.PLAY, bytes(12)),
        pack_frame(FrameKind.HEARD, b"x"),
        b"\xff\xff\xff\xff\x00",
        b"\x00\x00\x00\x00\x63",
    ],
)
async def test_a_broken_protocol_ends_the_connection(rubbish: bytes) -> None:
    it = Connected()
    it.hear(it.hello())
    it.link.data_received(rubbish)
    assert it.transport.aborted
    assert it.listener.said == [it.hello()]


async def test_a_message_before_the_hello_ends_the_connection() -> None:
    it = Connected()
    it.hear(wire.Snapshot(()))
    assert it.transport.aborted
    assert it.listener.said == []


@pytest.mark.parametrize("change", [{"version": WIRE_VERSION + 1}, {"card": 3}])
async def test_another_version_or_card_ends_the_connection(change: dict[str, int]) -> None:
    it = Connected()
    it.hear(it.hello(**change))
    assert it.transport.aborted
    assert it.link.hello is None


async def test_a_card_that_does_not_read_is_given_up() -> None:
    it = Connected()
    await asyncio.sleep(0)
    it.transport.unsent_bytes = 17 << 20
    it.link.send(wire.pack_control(wire.Ring(LegId(1))))
    await asyncio.sleep(0)
    assert it.transport.aborted


async def test_what_is_sent_after_the_loss_goes_nowhere() -> None:
    it = Connected()
    await asyncio.sleep(0)
    it.link.connection_lost(None)
    it.link.send(wire.pack_control(wire.Ring(LegId(1))))
    await asyncio.sleep(0)
    assert len(it.transport.writes) == 1
    assert it.link.lost.is_set()
    assert it.listener.said == ["disconnected"]
