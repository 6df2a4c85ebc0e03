"""One leg with a call that records what it is asked to do, and a clock that we turn."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.cards.sip.contract import DtmfMethod, Headers, MediaInfo, PjsipError, StreamQuality
from gateway.cards.sip.leg import Leg, LegContext
from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId
from gateway.wire import card as wire

FORMAT = PcmFormat(8000)
MEDIA = MediaInfo("PCMU", 8000, 20, srtp=False, sending=True, receiving=True)
HELD = MediaInfo("PCMU", 8000, 20, srtp=False, sending=False, receiving=True)
INCOMING = wire.Incoming(LegId(7), "c", "sip:x", "<sip:a>", "<sip:b>", (), "udp:1", 0.0)


@dataclass
class RecordedCall:
    """A SIP call that does nothing but remember."""

    media: MediaInfo | None = None
    stats: StreamQuality | None = None
    asked: list[tuple[object, ...]] = field(default_factory=list)
    offering: bool = False
    """The far end makes an offer: none of ours can be sent."""

    def answer(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        self.asked.append(("answer", status, reason, headers))

    def hangup(self, status: int = 0, reason: str = "", headers: Headers = ()) -> None:
        self.asked.append(("hangup",))

    def hold(self, held: bool) -> None:
        if self.offering:
            raise PjsipError("an INVITE is pending")
        self.asked.append(("hold", held))

    def send_dtmf(self, digits: str, method: DtmfMethod | None = None) -> None:
        self.asked.append(("dtmf", digits))

    def transfer(self, uri: str, headers: Headers = ()) -> None:
        self.asked.append(("transfer", uri, headers))

    def renegotiate(self, codec: str, ptime_ms: int) -> None:
        self.asked.append(("renegotiate", codec, ptime_ms))

    def keep_media(self) -> None:
        self.asked.append(("keep_media",))

    def quality(self) -> StreamQuality | None:
        return self.stats


@dataclass
class BarePort:
    hear: Callable[[bytes], None] | None = None
    speak: Callable[[], bytes | None] | None = None


class Bench:
    """A leg and everything around it."""

    def __init__(self, *, outbound: bool = False) -> None:
        self.now = 100.0
        self.sent: list[wire.FromCard] = []
        self.closed: list[Leg] = []
        self.call, self.port = RecordedCall(), BarePort()
        tiers = ("ILBC/30", "GSM/20", "SPEEX/16000/20")
        context = LegContext(FORMAT, 5.0, lambda: self.now, self.sent.append, self.closed.append, tiers)
        self.leg = Leg(INCOMING, self.call, self.port, context, outbound=outbound)

    def answered(self) -> None:
        self.call.media = MEDIA
        self.leg.on_media(MEDIA)
        self.leg.on_state("connecting", 200, "OK")
        self.leg.on_state("confirmed", 200, "OK")

    def state(self) -> str:
        return self.leg.state

    def tick(self, count: int = 1) -> list[bytes | None]:
        frames = []
        for _ in range(count):
            assert self.port.speak is not None
            frames.append(self.port.speak())
            self.now += 0.02
            self.leg.after_tick(self.now)
        return frames
