"""The E-model of ITU-T G.107 (narrowband): a transmission rating R from delay, loss and codec; pure.

Loudness, noise, sidetone and echo have the default values of the recommendation's table 2, which it
prescribes for paths of which nothing else is known.
"""

import math
from typing import Final

_SLR, _RLR, _STMR, _LSTR = 8.0, 2.0, 15.0, 18.0
_DS: Final = 3.0
_TELR, _WEPL = 65.0, 110.0
_NC, _NFOR = -70.0, -64.0
_PS, _PR = 35.0, 35.0
_QDU: Final = 1.0
_OLR: Final = _SLR + _RLR

R_DEFAULT: Final = 93.2
"""Of a perfect path without delay, as the recommendation rounds it."""


def _power_sum(*levels_db: float) -> float:
    return 10 * math.log10(sum(10 ** (level / 10) for level in levels_db))


def _noise() -> float:
    """No (§7.2): circuit, room and line noise together, dBm0p."""
    nos = _PS - _SLR - _DS - 100 + 0.004 * (_PS - _OLR - _DS - 14) ** 2
    pre = _PR + 10 * math.log10(1 + 10 ** ((10 - _LSTR) / 10))
    nor = _RLR - 121 + pre + 0.008 * (pre - 35) ** 2
    return _power_sum(_NC, nos, nor, _NFOR + _RLR)


_NO: Final = _noise()
_RO: Final = 15 - 1.5 * (_SLR + _NO)
"""Basic signal-to-noise ratio (§7.2)."""


def _root(x: float, power: float) -> float:
    """(1 + x^power)^(1/power), the recommendation's favourite soft corner."""
    return math.pow(1 + math.pow(x, power), 1 / power)


def _simultaneous(delay_ms: float) -> float:
    """Is (§7.3): what impairs speech while it is spoken."""
    x = _OLR + 0.2 * (64 + _NO - _RLR)
    too_loud = 20 * (_root(x / 8, 8) - x / 8)
    sidetone = -10 * math.log10(10 ** (-_STMR / 10) + math.exp(-delay_ms / 4) * 10 ** (-_TELR / 10))
    by_sidetone = (
        12 * _root((sidetone - 13) / 6, 8)
        - 28 * _root((sidetone + 1) / 19.4, 35)
        - 13 * _root((sidetone - 3) / 33, 13)
        + 29
    )
    q = 37 - 15 * math.log10(_QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    quantising = 15 * math.log10(1 + 10 ** ((_RO - 100) / 15 + 46 / 8.4 - g / 9) + 10 ** (46 / 30 - g / 40))
    return too_loud + by_sidetone + quantising


def delay_impairment(one_way_ms: float) -> float:
    """Id (§7.4): talker echo, listener echo and plain lateness; the way back takes as long."""
    delay_ms = max(one_way_ms, 0.0)
    terv = (
        _TELR - 40 * math.log10((1 + delay_ms / 10) / (1 + delay_ms / 150)) + 6 * math.exp(-0.3 * delay_ms**2)
    )
    gap = -1.5 * (_NO - _RLR) - (80 + 2.5 * (terv - 14))
    talker = (gap / 2 + math.sqrt(gap**2 / 4 + 100) - 1) * (1 - math.exp(-delay_ms))
    gap = _RO - 10.5 * (_WEPL + 7) * math.pow(2 * delay_ms + 1, -0.25)
    listener = gap / 2 + math.sqrt(gap**2 / 4 + 169)
    return talker + listener + _lateness(delay_ms)


def _lateness(delay_ms: float) -> float:
    """Idd (§7.4.3): hardly any below 100 ms, for lively conversation (sT = 1, mT = 100)."""
    if delay_ms <= 100:
        return 0.0
    x = math.log2(delay_ms / 100)
    return 25 * (_root(x, 6) - 3 * _root(x / 3, 6) + 2)


def equipment_impairment(ie: float, bpl: float, loss: float, burst_ratio: float = 1.0) -> float:
    """Ie-eff (§7.5): the codec, and the loss that it does not hide.

    loss: share of packets, 0 to 1. burst_ratio: mean length of the losses' runs over what chance alone
    would make of them, from 1.
    """
    percent = 100.0 * loss
    return ie + (95 - ie) * percent / (percent / max(burst_ratio, 1.0) + bpl)


def rating(one_way_ms: float, impairment: float = 0.0) -> float:
    """R (§7.1) of a delay and an `equipment_impairment`, without advantage factor."""
    return _RO - _simultaneous(max(one_way_ms, 0.0)) - delay_impairment(one_way_ms) - impairment


def mos(r: float) -> float:
    """Mean opinion score of a rating, MOS-CQE 1 to 4.5 (G.107 Annex B)."""
    if r >= 100:
        return 4.5
    if r <= 0:
        return 1.0
    # The polynomial dips a little below 1 for very small ratings.
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
