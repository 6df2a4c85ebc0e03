"""What the codecs of a phone call take on the wire, and which one to try against which trouble. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.ladder.commands import SipCoding
from gateway.core.quality.codecs import codec_profile
from gateway.core.quality.emodel import equipment_impairment, rating

Family = Literal["wideband", "g711", "robust", "frugal"]
"""robust: each packet decodes by itself · frugal: fewest bits."""

_HEADER_BITS: Final = 40 * 8
"""IPv4, UDP, RTP."""
_WORTHWHILE: Final = 0.9
"""A change must bring the rate down to this share at least."""
_ALIKE: Final = 1.05
"""Rates that differ by less are the same."""
_WIDER: Final = 1.5
"""A codec that bears loss better may take so many times the rate; it has fewer bits than a path that
carried G.711."""
_HEARD: Final = 3.0
"""Points of R from which a change is worth asking for: a tenth of MOS."""
_NEAR_MS: Final = 40.0
"""Delay of a path of which only the coding's share matters."""
_OVERHEAD: Final = 0.4
"""Share of headers from which longer packets are tried before fewer bits of speech."""


@dataclass(frozen=True, slots=True)
class _Codec:
    family: Family
    payload_bps: int
    ptimes_ms: tuple[int, ...] = (20, 40, 60)


_CODECS: Final = {
    "G722": _Codec("wideband", 64_000),
    "SPEEX/16000": _Codec("wideband", 20_600),
    "PCMU": _Codec("g711", 64_000),
    "PCMA": _Codec("g711", 64_000),
    "ILBC": _Codec("robust", 13_333, (30, 60)),
    "SPEEX": _Codec("frugal", 8_000),
    "GSM": _Codec("frugal", 13_200),
}
KNOWN: Final = tuple(_CODECS)
"""Best first."""

Usable = Callable[[SipCoding], bool]
"""Whether the far end may be asked for a coding."""
Rated = Callable[[SipCoding], float]
"""How good a coding would be, in points of R."""


def wire_bps(coding: SipCoding) -> float:
    """Bits a second with IP, UDP and RTP headers; a codec we don't know counts as G.711."""
    payload = _CODECS.get(coding.codec, _CODECS["PCMU"]).payload_bps
    return payload + _HEADER_BITS * 1000 / coding.ptime_ms


def family(codec: str) -> Family:
    """Of a codec; one we don't know stays where it is, as G.711 would."""
    return _CODECS[codec].family if codec in _CODECS else "g711"


def ptimes_ms(codec: str) -> tuple[int, ...]:
    """Packet times that a codec can be asked for; none of one we don't know."""
    return _CODECS[codec].ptimes_ms if codec in _CODECS else ()


def _at(codec: str, least_ptime_ms: int) -> SipCoding:
    ptimes_ms = _CODECS[codec].ptimes_ms
    return SipCoding(codec, next((each for each in ptimes_ms if each >= least_ptime_ms), ptimes_ms[-1]))


def predicted_rating(coding: SipCoding, loss: float, burst_ratio: float = 1.0) -> float:
    """R (ITU-T G.107) that a coding would have on a near path with this loss."""
    profile = codec_profile(coding.codec)
    delay_ms = _NEAR_MS + coding.ptime_ms + profile.lookahead_ms
    bpl = profile.bpl_at(coding.ptime_ms)
    return rating(delay_ms, equipment_impairment(profile.ie, bpl, loss, burst_ratio))


def best_against_loss(
    now: SipCoding, offered: Sequence[str], usable: Usable, most_ptime_ms: int, rated: Rated
) -> SipCoding | None:
    """The coding that is rated best, of those of about as many bits; None if the gain can't be heard."""

    def bearable(coding: SipCoding) -> bool:
        as_long = coding == _at(coding.codec, now.ptime_ms)
        short_enough = coding.ptime_ms <= max(most_ptime_ms, ptimes_ms(coding.codec)[0])
        return short_enough and wire_bps(coding) <= (_WIDER if as_long else 1.0) * wire_bps(now)

    others = [SipCoding(codec, each) for codec in offered if codec != now.codec for each in ptimes_ms(codec)]
    best = max((each for each in others if bearable(each) and usable(each)), key=rated, default=None)
    return best if best is not None and rated(best) - rated(now) >= _HEARD else None


def robust_against_loss(now: SipCoding, offered: Sequence[str], usable: Usable) -> SipCoding | None:
    """The next family towards iLBC, whose decoders all hide loss; packets stay as short as they are."""
    steps: dict[Family, tuple[Family, ...]] = {
        "wideband": ("g711", "robust"),
        "g711": ("robust",),
        "frugal": ("robust",),
        "robust": (),
    }
    for wanted in steps[family(now.codec)]:
        for codec in offered:
            coding = _at(codec, now.ptime_ms)
            if family(codec) == wanted and usable(coding):
                return coding
    return None


def against_thinness(
    now: SipCoding, offered: Sequence[str], usable: Usable, most_ptime_ms: int
) -> SipCoding | None:
    """The next coding that takes less of the network: longer packets, or the codec with the fewest bits."""
    longer = _longer(now, most_ptime_ms, usable)
    fewer = fewer_bits(now, offered, usable)
    overhead = _HEADER_BITS * 1000 / now.ptime_ms / wire_bps(now)
    return (longer or fewer) if overhead >= _OVERHEAD else (fewer or longer)


def _longer(now: SipCoding, most_ptime_ms: int, usable: Usable) -> SipCoding | None:
    if now.codec not in _CODECS:
        return None
    for ptime_ms in _CODECS[now.codec].ptimes_ms:
        coding = SipCoding(now.codec, ptime_ms)
        if now.ptime_ms < ptime_ms <= most_ptime_ms and usable(coding):
            return coding
    return None


def fewer_bits(
    now: SipCoding, offered: Sequence[str], usable: Usable, most_share: float = _WORTHWHILE
) -> SipCoding | None:
    """Another codec, with the fewest bits; most_share: of the present rate, from which it counts."""
    others = [_at(codec, now.ptime_ms) for codec in offered if codec != now.codec]
    enough = [each for each in others if wire_bps(each) <= most_share * wire_bps(now) and usable(each)]
    least_bps = min(map(wire_bps, enough), default=0.0)
    # Of those that take about the same, the one that the trunk likes best.
    return next((each for each in enough if wire_bps(each) <= _ALIKE * least_bps), None)
