"""The configuration of the ladders: what calls may fall back to on bad networks."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.config.section import NO_TRUTH_VALUE, Section

PhoneCodec = Literal["g722", "speex/16000", "pcmu", "pcma", "ilbc", "speex", "gsm"]

_PHONE_CODECS: tuple[PhoneCodec, ...] = ("g722", "speex/16000", "pcmu", "pcma", "ilbc", "speex", "gsm")


class _Ladder(Section):
    enabled: bool = True
    """Change codec, bitrate and packet time in the middle of calls when the network is bad."""
    up_after_s: Annotated[float, Field(ge=5, le=600), NO_TRUTH_VALUE] = 20.0
    """Of good quality before one step back up; longer after each relapse."""


class PhoneLadderConfig(_Ladder):
    """Phone calls: other codecs and packet times by re-INVITE."""

    codecs: list[PhoneCodec] = Field(default_factory=lambda: list(_PHONE_CODECS))
    """What calls may change to, best first; of these what the far end offers and sip.codecs allows."""
    most_ptime_ms: Literal[20, 40, 60] = 60
    """Longest packets."""
    lossy: Literal["best", "ilbc"] = "best"
    """Against loss without thinness. best: the codec with the best predicted MOS at this loss, counting on
    phones that hide loss in G.711 as our decoder does; ilbc: iLBC always, for phones that don't."""


class PeerLadderConfig(_Ladder):
    """WebRTC calls: bitrate, packet time and FEC of Opus, without renegotiation."""

    steer_peer: bool = True
    """Tell our own page over the data channel how much to send."""
