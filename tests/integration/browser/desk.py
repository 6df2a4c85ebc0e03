"""A core with people and a real WebRTC card, and somebody in it who rings them, for the page."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser

from gateway.core.ids import CallId, CardId, Mark
from gateway.legs.contract import Leg, LegEvent
from gateway.legs.people.line import PersonLine
from gateway.legs.people.messages import LineRequest, TranscriptLine
from gateway.legs.people.ring import Ring, RingInfo
from gateway.wire import card as wire
from tests.contract.stand_in_card import CARD
from tests.integration.api.rig import PASSWORD, Rig, running
from tests.integration.browser.phone import PAGE_SIDE, Phone
from tests.integration.webrtc_card.cards import NUMBER, running_card

CALLER = "+4930123456"
SAID = (TranscriptLine("caller", "I want to talk to a person."), TranscriptLine("agent", "One moment."))
INFO = RingInfo(from_party=CALLER, to="+4930555", agent="seller", transcript=SAID)


class Caller:
    """Who is connected with a person: says back what they say."""

    def __init__(self, ring: Ring, leg: Leg) -> None:
        assert ring.line is not None
        self.line: PersonLine = ring.line
        self.leg = leg
        self.asked: asyncio.Queue[LineRequest] = asyncio.Queue()
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        """What the page sends over its data channel."""
        self.gone = asyncio.Event()
        self._answered = asyncio.Event()
        leg.attach(CallId("call_0"), self)
        self.line.attach(self.asked.put_nowait)
        leg.answer()

    async def talk(self) -> None:
        """Until both hear each other."""
        async with asyncio.timeout(10):
            await self._answered.wait()
        self.line.joined(CallId("call_0"))

    async def wish(self) -> LineRequest:
        """What the person asks for next."""
        async with asyncio.timeout(5):
            return await self.asked.get()

    async def ended(self) -> None:
        """Wait until the person's leg is gone."""
        async with asyncio.timeout(5):
            await self.gone.wait()

    async def leave(self, reason: str) -> None:
        """End it from this side."""
        self.leg.close(200, "bye")
        await self.ended()
        self.line.left(reason)

    def on_audio(self, pcm: bytes, flags: int) -> None:
        """Say it back."""
        self.leg.play(pcm, Mark(1))

    def on_leg_event(self, event: LegEvent) -> None:
        """News of the person's leg."""
        match event:
            case wire.Answered():
                self._answered.set()
            case wire.ChannelText():
                self.texts.put_nowait(event.text)
            case wire.LegClosed():
                self.gone.set()


class Office:
    """The core as far as people are concerned."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    async def ring(self, user: str = "olivia", info: RingInfo = INFO) -> Ring:
        """Ring somebody as soon as they are ready."""
        await self.seen(user, "ready")
        return self.rig.people.ring(user, info)

    async def connect(self, ring: Ring) -> Caller:
        """Wait for the answer and talk."""
        async with asyncio.timeout(15):
            caller = Caller(ring, await ring.answered())
            await caller.talk()
        return caller

    async def seen(self, user: str, presence: str, within_s: float = 10.0) -> None:
        """Wait until a person is seen like this."""
        async with asyncio.timeout(within_s):
            while self.rig.people.presence(user) != presence:
                async with self.rig.send("GET", "/healthz"):  # lets the server do its part in between
                    pass


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    """People: olivia and otto."""
    async with running() as rig, running_card() as card:
        rig.pool.remove(CARD, "replaced")
        rig.pool.add(CardId(NUMBER), str(card.socket_path))
        async with asyncio.timeout(10):
            while not rig.pool.connected:
                async with rig.send("GET", "/healthz"):
                    pass
        yield Office(rig)


class Wire:
    """The page's way to the gateway, which a test can cut."""

    def __init__(self, port: int) -> None:
        """`port`: the gateway's on this machine."""
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()

    @property
    def base(self) -> str:
        """For the page."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """Pass nothing on any more, and say nothing of it, as when a network goes away."""
        self._passing.clear()

    def mend(self) -> None:
        """Pass on again."""
        self._passing.set()

    async def __aenter__(self) -> "Wire":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.mend()
        self.cut()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            with contextlib.suppress(ConnectionError):  # that is what a cut is
                await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._passing.wait()
            writer.write(data)
        writer.transport.abort()


@asynccontextmanager
async def page(
    browser: Browser, office: Office, *, reduced_motion: bool = False, base: str = ""
) -> AsyncIterator[Phone]:
    """The page in a browser of its own, nobody signed in; fails if the page had an error.

    base: another way to the gateway.
    """
    context = await browser.new_context(reduced_motion="reduce" if reduced_motion else "no-preference")
    try:
        tab = await context.new_page()
        await tab.add_init_script("window.speaksForItself = true;")
        await tab.add_init_script(PAGE_SIDE)
        it = Phone(tab, f"{base or office.rig.base}/phone")
        await it.open()
        yield it
        assert not it.complaints, it.complaints
    finally:
        await context.close()


async def sign_in(it: Phone, user: str = "olivia", password: str = PASSWORD) -> None:
    """As a person does."""
    await it.page.fill("#user", user)
    await it.page.fill("#password", password)
    await it.page.press("#password", "Enter")


@asynccontextmanager
async def at_desk(
    browser: Browser, office: Office, user: str = "olivia", *, base: str = ""
) -> AsyncIterator[Phone]:
    """The page of somebody who takes calls."""
    async with page(browser, office, base=base) as it:
        await sign_in(it, user)
        await it.until("document.getElementById('presence').textContent.startsWith('Calls come to you')")
        yield it
