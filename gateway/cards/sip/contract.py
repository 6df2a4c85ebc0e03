"""What cards and softphones see of PJSIP: settings, values and the handler of a call. No pjsua2 here."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.cards.sip.round_trip import NO_ROUND_TRIP, RttStat
from gateway.errors import GatewayError

CallState = Literal["calling", "incoming", "early", "connecting", "confirmed", "disconnected"]
DtmfMethod = Literal["rfc4733", "info"]
Headers = tuple[tuple[str, str], ...]


class PjsipError(GatewayError):
    """PJSIP refused an operation, or the call it was meant for is gone."""


class BusyError(PjsipError):
    """Not now: something else is under way in the dialog (as 491 says it)."""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What an endpoint needs to know."""

    codecs: tuple[str, ...]
    """pjsua2 codec ids in order of preference; all others are switched off."""
    sample_rate_hz: int = 8000
    """Sample rate of the PCM of all ports."""
    sip_address: str = "127.0.0.1"
    """Address of the SIP UDP socket."""
    sip_port: int = 0
    """0: any free port, see `Endpoint.sip_port`."""
    user_agent: str = "voice-gateway"
    identity: str = "gateway"
    """User part of our From and Contact."""
    rtp_address: str = "127.0.0.1"
    """Local address of the RTP sockets."""
    rtp_advertise: str = "127.0.0.1"
    """Address that SDP shows."""
    rtp_port_low: int = 0
    """First RTP port; 0: any."""
    rtp_port_count: int = 0
    proxy: str = ""
    """address:port that requests outside a dialog are sent to; empty: straight to their target."""
    srtp: bool = True
    """Accept SDES-SRTP when it is offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCall:
    """A call to place."""

    uri: str
    """SIP URI to call."""
    headers: Headers = ()
    """More headers of the INVITE."""
    from_uri: str = ""
    """SIP URI for From, perhaps with a display name; empty: the endpoint's own."""
    sip_call_id: str = ""
    """Value of Call-ID; empty: any."""
    username: str = ""
    """For a digest challenge; empty: a challenge ends the call."""
    password: str = field(default="", repr=False)
    srtp: bool = False
    """Offer what the endpoint accepts; without credentials."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What the last offer and answer agreed on."""

    codec: str
    clock_rate_hz: int
    ptime_ms: int
    srtp: bool
    sending: bool
    """The far end wants our audio."""
    receiving: bool
    """The far end sends audio."""
    offered: tuple[str, ...] = ()
    """Codecs that the far end named last; see `sdp.codecs`."""


@dataclass(frozen=True, slots=True)
class StreamQuality:
    """Counters of a call's RTP stream since it began."""

    rx_packets: int
    rx_lost: int
    rx_discarded: int
    """Packets that came, but not in time, or too many at once."""
    rx_jitter_ms: float
    jitter_buffer_ms: float
    tx_packets: int
    tx_reports: int
    """RTCP reports about our stream that have arrived."""
    tx_lost: int
    tx_jitter_ms: float
    rx_loss_runs: int = 0
    """Runs of consecutive losses."""
    rtt: RttStat = NO_ROUND_TRIP


class CallHandler(Protocol):
    """Who is told about a call; may use the call inside every method but `on_state("disconnected")`."""

    def on_state(self, state: CallState, status: int, reason: str) -> None:
        """The call moved on; `disconnected` is the last one, the call can't be used any more."""

    def on_media(self, media: MediaInfo) -> None:
        """Offer and answer were (re)negotiated."""

    def on_digit(self, digit: str, duration_ms: int, method: DtmfMethod) -> None:
        """A DTMF digit arrived; `duration_ms` is 0 when the far end did not say."""

    def on_refused(self, status: int, reason: str) -> None:
        """The far end refused other media (re-INVITE); the old ones stay."""

    def on_transfer(self, status: int, reason: str, *, final: bool) -> None:
        """The far end reports on the transfer it was asked for; nothing comes after the final one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A final response that is no 2xx."""

    status: int
    reason: str = ""
    headers: Headers = ()
