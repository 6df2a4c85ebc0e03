"""People, their pages, and a clock that a test turns."""

from collections.abc import Callable

from gateway.core.ids import CardId, LegId
from gateway.legs.people import messages as page
from gateway.legs.people.line import Tab
from gateway.legs.people.people import People
from gateway.legs.people.ring import Ring, RingInfo
from gateway.legs.proxy import RemoteLeg
from gateway.wire import card as wire
from gateway.wire.frames import WIRE_VERSION, FrameDecoder

INFO = RingInfo(
    from_party="+4930123",
    to="+4930555",
    agent="reception",
    transcript=(page.TranscriptLine("caller", "a person please"),),
    timeout_s=20.0,
)


class _Timer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """Calls later, when told that time has passed."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, Callable[[], None], _Timer]] = []

    @property
    def waiting(self) -> int:
        """Calls to come."""
        return sum(not timer.cancelled for _, _, timer in self._due)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> _Timer:
        timer = _Timer()
        self._due.append((self.now + delay_s, call, timer))
        return timer

    def pass_s(self, seconds: float) -> None:
        """Time goes on."""
        self.now += seconds
        due = [entry for entry in self._due if entry[0] <= self.now]
        self._due = [entry for entry in self._due if entry[0] > self.now]
        for _, call, timer in due:
            if not timer.cancelled:
                call()


class Page:
    """One open page of a person, and what it was told."""

    def __init__(self, stage: "Stage", tab_id: str, user: str, resume: str) -> None:
        self._stage = stage
        self.told: list[page.ToPage] = []
        self.tab = Tab(tab_id, user, self.told.append)
        stage.people.open(user, self.tab, resume)

    def say(self, request: str) -> None:
        """A message, as JSON."""
        self._stage.people.handle(self.tab, page.read_request(request))

    def close(self) -> None:
        self._stage.people.close(self.tab)

    def answer(self, ring: Ring) -> RemoteLeg:
        """Answer with an offer that a card makes a leg of."""
        with self._stage.people.answering(self.tab.user, ring.id, self.tab.id) as address:
            return self._stage.leg(address)


class Stage:
    """Two people, op1 and op2."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.people = People(["op1", "op2"], self.clock.call_later)
        self.sent: list[wire.ToCard] = []
        self.claimed: list[bool] = []
        self._tabs = 0

    def page(self, user: str = "op1", *, ready: bool = True, resume: str = "") -> Page:
        """A page opens."""
        self._tabs += 1
        found = Page(self, f"tab{self._tabs}", user, resume)
        if ready:
            found.say('{"type": "ready"}')
        return found

    def leg(self, request_uri: str, kind: str = "webrtc") -> RemoteLeg:
        """A card has made a leg for this address."""
        capabilities = wire.Capabilities()
        hello = wire.Hello(
            WIRE_VERSION, CardId(1), "webrtc" if kind == "webrtc" else "sip", 1, 16000, capabilities
        )
        leg = RemoteLeg(CardId(1), LegId(len(self.claimed) + 1), hello, self._send)
        incoming = wire.Incoming(leg.address[1], "", request_uri, "person op1", "", (), "http:p", 1.0)
        self.claimed.append(self.people.claims(leg, incoming))
        return leg

    def _send(self, data: bytes) -> None:
        self.sent += [wire.unpack_to_card(payload) for _, payload in FrameDecoder().feed(data)]
