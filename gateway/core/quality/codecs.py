"""What codecs cost in the E-model: equipment impairment and robustness against loss.

Published are the values of G.711 (ITU-T G.113 Appendix I: 4.3 without concealment, 25.1 with that of
G.711 Appendix I) and GSM's Ie. The other Ie are assumptions, chosen so that the order is that of listening
tests; good for comparing moments and rungs of a ladder, not for comparing products:

- wideband codecs (G.722, Opus, Speex wideband) never count as better than G.711, since the narrowband
  scale ends there
- iLBC at 13.3 kbit/s: as that of G.729A (11)
- Speex narrowband at 8 kbit/s: below G.729A
- Opus: nothing lost from 24 kbit/s up, 1 point per kbit/s below; its concealment counts as G.711's

The other Bpl (but Opus's) are measured with the decoders that SIP cards use: a codec's Bpl is the one with
which it loses, of the intelligibility (STOI) that it has without loss, the share that G.711 loses where its
own Bpl of 25.1 says the same; `python -m tests.bench.codec_loss`. So is what longer packets cost.
"""

import math
from dataclasses import dataclass
from typing import Final

_PER_LENGTH: Final = 0.5
"""Power of the packet's length by which Bpl falls. Measured: 0.4 to 0.6 of G.711 and iLBC, 0.2 of GSM and
Speex."""


@dataclass(frozen=True, slots=True)
class CodecProfile:
    """A codec as the E-model sees it."""

    ie: float
    """Impairment without loss, in points of R."""
    bpl: float
    """Percent of loss that cost half of what is left."""
    lookahead_ms: float
    """Delay of the algorithm beyond the packet itself."""
    packet_ms: int | None = None
    """Length of the packets that `bpl` holds for; None: of any."""

    def bpl_at(self, ptime_ms: int) -> float:
        """With packets of that length: the longer the hole, the less of it can be hidden."""
        if self.packet_ms is None:
            return self.bpl
        return self.bpl * math.pow(self.packet_ms / ptime_ms, _PER_LENGTH)


G711_BARE: Final = CodecProfile(0.0, 4.3, 0.0)
"""G.711 whose losses are heard as gaps."""

_PROFILES: Final = {
    "PCMU": CodecProfile(0.0, 25.1, 0.0, 20),
    "PCMA": CodecProfile(0.0, 25.1, 0.0, 20),
    "G722": CodecProfile(0.0, 12.5, 1.4, 20),
    "GSM": CodecProfile(20.0, 14.0, 0.0, 20),
    "ILBC": CodecProfile(11.0, 27.0, 10.0, 30),
    "SPEEX": CodecProfile(17.0, 15.5, 10.0, 20),
    "OPUS": CodecProfile(0.0, 25.1, 6.5),
}
_UNKNOWN: Final = CodecProfile(11.0, 10.0, 5.0)

_OPUS_CLEAN_BPS: Final = 24_000
_OPUS_LEAST_BPS: Final = 6_000


def codec_profile(name: str, bitrate_bps: int | None = None) -> CodecProfile:
    """By the name of SDP in any case, "speex/8000" or "speex"; bitrate_bps matters to Opus only."""
    key = name.upper().partition("/")[0]
    known = _PROFILES.get(key, _UNKNOWN)
    if key != "OPUS" or bitrate_bps is None:
        return known
    missing_kbps = max(0, _OPUS_CLEAN_BPS - max(_OPUS_LEAST_BPS, bitrate_bps)) / 1000
    return CodecProfile(known.ie + missing_kbps, known.bpl, known.lookahead_ms)


def residual_after_fec(loss: float, mean_run: float) -> float:
    """Share of packets still missing when each one carries a copy of the one before (RFC 6716 §2.1.7).

    Only the last loss of a run comes back, with the packet behind it. mean_run: packets, from 1.
    """
    return loss * (1 - 1 / max(mean_run, 1.0))
