"""What a bad network does to the packets of one direction, as settings."""

import math
from dataclasses import dataclass, fields

from gateway.errors import LocalError


class ImpairmentError(LocalError):
    """Settings that describe no network."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The path freezes now and then, as Wi-Fi and mobile networks do: nothing is lost, all of it is late."""

    length_s: float
    every_s: float
    """From one freeze's beginning to the next; the first comes this long after the first packet."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """One direction of a network; the default is a perfect one."""

    loss: float = 0.0
    """Share of packets lost, 0 to 1."""
    burst_packets: float | None = None
    """Mean length of a bad spell in packets (Gilbert-Elliott); None: each packet by itself."""
    loss_in_burst: float = 1.0
    """Share of packets lost within a bad spell; `loss` stays the average over all."""
    delay_ms: float = 0.0
    """Added to every packet."""
    jitter_ms: float = 0.0
    """Added on top: for each packet anything from 0 to this, equally likely."""
    reorder: bool = False
    """Whether jitter may let a packet overtake an earlier one; otherwise it waits behind it."""
    rate_bps: float | None = None
    """Bits a second that pass, IP and UDP headers included; None: any number."""
    queue_ms: float = 200.0
    """How much may wait for the rate limit; what comes on top is lost."""
    duplicate: float = 0.0
    """Share of packets that arrive twice, 0 to 1."""
    stall: Stall | None = None
    """Freezes, if any."""

    def __post_init__(self) -> None:
        self._check_ranges()
        if self.burst_packets is not None:
            if self.burst_packets < 1:
                raise ImpairmentError("a bad spell lasts at least one packet")
            # Good spells must last a packet too, else the asked average cannot be had.
            if self.bad_share > self.burst_packets / (self.burst_packets + 1):
                raise ImpairmentError(
                    f"a loss of {self.loss:.0%} needs longer bad spells, or more loss within"
                )

    def _check_ranges(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float | int) and not (math.isfinite(value) and value >= 0):
                raise ImpairmentError(f"{field.name} must be a number from 0 up, not {value}")
        for name in ("loss", "loss_in_burst", "duplicate"):
            if getattr(self, name) > 1:
                raise ImpairmentError(f"{name} is a share and cannot exceed 1 (100 %)")
        if self.rate_bps is not None and self.rate_bps <= 0:
            raise ImpairmentError("rate_bps must be above 0")
        if self.loss_in_burst <= 0:
            raise ImpairmentError("loss_in_burst must be above 0")
        if self.stall is not None and not 0 < self.stall.length_s < self.stall.every_s < math.inf:
            raise ImpairmentError("a stall must be shorter than the time between two of them")

    @property
    def bad_share(self) -> float:
        """Share of packets that fall into bad spells."""
        return self.loss / self.loss_in_burst

    def describe(self) -> str:
        """The settings in a few words, for tables and logs."""
        words = []
        if self.loss:
            spells = f" in spells of {self.burst_packets:g}" if self.burst_packets else ""
            words.append(f"loss {self.loss * 100:g} %{spells}")
        if self.delay_ms or self.jitter_ms:
            words.append(f"delay {self.delay_ms:g} ms")
        if self.jitter_ms:
            words.append(f"jitter {self.jitter_ms:g} ms{', reordering' if self.reorder else ''}")
        if self.rate_bps is not None:
            words.append(f"rate {self.rate_bps / 1000:g} kbit/s, queue {self.queue_ms:g} ms")
        if self.duplicate:
            words.append(f"duplicates {self.duplicate * 100:g} %")
        if self.stall is not None:
            words.append(f"freezes {self.stall.length_s:g} s every {self.stall.every_s:g} s")
        return ", ".join(words) or "unimpaired"
