"""What ladders want done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpusRung:
    """How Opus is sent."""

    bitrate_bps: int
    ptime_ms: int
    fec: bool

    @property
    def name(self) -> str:
        """As cards call their tiers: `24k/40ms`."""
        return f"{self.bitrate_bps // 1000}k/{self.ptime_ms}ms"

    @property
    def wire_bps(self) -> float:
        """With 64 bytes of Ethernet, IP, UDP, SRTP around each packet."""
        return self.bitrate_bps + 64 * 8 * 1000 / self.ptime_ms


@dataclass(frozen=True, slots=True)
class UseRung:
    """Send Opus this way from now on. How much loss its FEC expects follows from the far end's reports."""

    rung: OpusRung
    why: str


@dataclass(frozen=True, slots=True)
class SipCoding:
    """Codec by its name in SDP (upper case; `SPEEX/16000` for wideband Speex) and packet time."""

    codec: str
    ptime_ms: int


@dataclass(frozen=True, slots=True)
class Negotiate:
    """Offer this coding by re-INVITE; answered by `Changed` or `Refused`, or by nothing."""

    coding: SipCoding
    why: str
