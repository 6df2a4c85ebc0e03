"""What moves a leg up and down: nothing, re-INVITEs of a phone, or the bitrates of Opus."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from gateway.calls.line.ladders import PeerSettings
from gateway.core.ladder.commands import OpusRung, SipCoding
from gateway.core.ladder.opus import RUNGS, OpusLadder
from gateway.core.ladder.sip import (
    Busy,
    Changed,
    RefusalCause,
    Refused,
    Reports,
    SipLadder,
    SipSettings,
)
from gateway.core.quality.codecs import codec_profile
from gateway.core.quality.monitor import Coding, QualityReport
from gateway.legs.contract import Leg
from gateway.wire import card as wire

TUNE_TYPE: Final = "gateway.tune"
"""Message to our own page: send no more than this."""

_UNSUPPORTED: Final = frozenset({415, 488, 606})
_GLARE: Final = 491
_FEC_BPS: Final = 17_000
"""Below, Opus has no room for it."""

Direction = Literal["both", "sent", "received"]


@dataclass(frozen=True, slots=True)
class TierChange:
    """A step up or down that was taken, or asked for."""

    direction: Direction
    before: str
    after: str
    why: str


Note = Callable[[TierChange], None]


class Steering(Protocol):
    """Takes the reports of each second."""

    @property
    def tier(self) -> str:
        """What is sent now."""

    @property
    def stuck(self) -> bool:
        """There is trouble, and nothing left to do against it."""

    @property
    def codings(self) -> tuple[Coding, Coding]:
        """Of what is received and of what is sent."""

    def on_media(self, media: wire.MediaChanged, now: float) -> None:
        """Codec or packet time are other ones, whoever wanted it."""

    def on_refused(self, status: int, now: float) -> None:
        """The far end did not want to."""

    def on_reports(
        self, received: QualityReport, sent: QualityReport | None, now: float, *, busy: bool
    ) -> None:
        """This second. busy: the session must not be touched."""


def coding_of(media: wire.MediaChanged) -> SipCoding:
    """In the ladder's terms."""
    wideband_speex = media.codec == "SPEEX" and media.clock_rate_hz != 8000
    return SipCoding(f"SPEEX/{media.clock_rate_hz}" if wideband_speex else media.codec, media.ptime_ms)


def tier_name(coding: SipCoding) -> str:
    """As SIP cards call it: `ILBC/30`."""
    return f"{coding.codec}/{coding.ptime_ms}"


class Unsteered:
    """The leg stays as it is."""

    def __init__(self, media: wire.MediaChanged) -> None:
        self._coding = coding_of(media)
        self.stuck = False

    @property
    def tier(self) -> str:
        """As `Steering` says."""
        return tier_name(self._coding)

    @property
    def codings(self) -> tuple[Coding, Coding]:
        """As `Steering` says."""
        coding = Coding(codec_profile(self._coding.codec), self._coding.ptime_ms)
        return coding, coding

    def on_media(self, media: wire.MediaChanged, now: float) -> None:
        """As `Steering` says."""
        self._coding = coding_of(media)

    def on_refused(self, status: int, now: float) -> None:
        """As `Steering` says."""

    def on_reports(
        self, received: QualityReport, sent: QualityReport | None, now: float, *, busy: bool
    ) -> None:
        """As `Steering` says. Without a ladder there is never anything left to be done."""
        self.stuck = not busy


class PhoneSteering:
    """A phone: one codec for both directions, agreed on by re-INVITE."""

    def __init__(
        self, leg: Leg, settings: SipSettings, media: wire.MediaChanged, note: Note, now: float
    ) -> None:
        able = {tier.rpartition("/")[0] for tier in leg.capabilities.tiers}
        offered = [codec for codec in media.offered if codec in able]
        self._leg = leg
        self._note = note
        self._ladder = SipLadder(settings, offered, coding_of(media), now)
        self._busy = False
        self._why = ""
        """Of the change that is asked for; empty if none is."""

    @property
    def tier(self) -> str:
        """As `Steering` says."""
        return tier_name(self._ladder.coding)

    @property
    def stuck(self) -> bool:
        """As `Steering` says."""
        return self._ladder.stuck

    @property
    def codings(self) -> tuple[Coding, Coding]:
        """As `Steering` says."""
        now_used = self._ladder.coding
        coding = Coding(codec_profile(now_used.codec), now_used.ptime_ms)
        return coding, coding

    def on_media(self, media: wire.MediaChanged, now: float) -> None:
        """As `Steering` says."""
        before, after = self._ladder.coding, coding_of(media)
        if before == after and media.held:
            return  # hold settles nothing about a codec that was asked for
        self._ladder.handle(Changed(after), now)
        why, self._why = self._why or "the far end's wish", ""
        if before != after:
            self._note(TierChange("both", tier_name(before), tier_name(after), why))

    def on_refused(self, status: int, now: float) -> None:
        """As `Steering` says."""
        cause: RefusalCause = "timeout"
        if status in _UNSUPPORTED:
            cause = "unsupported"
        elif status == _GLARE:
            cause = "glare"
        self._why = ""
        self._ladder.handle(Refused(cause), now)

    def on_reports(
        self, received: QualityReport, sent: QualityReport | None, now: float, *, busy: bool
    ) -> None:
        """As `Steering` says."""
        deadline = self._ladder.next_deadline()
        if deadline is not None and now >= deadline:
            self._ladder.handle_timeout(now)
        if busy != self._busy:
            self._busy = busy
            self._ladder.handle(Busy(busy), now)
        reports = (received,) if sent is None else (received, sent)
        for command in self._ladder.handle(Reports(reports), now):
            self._why = command.why
            self._leg.set_tier(tier_name(command.coding))


class PeerSteering:
    """A WebRTC peer with Opus: each direction by itself, without a word in SDP."""

    def __init__(self, leg: Leg, settings: PeerSettings, note: Note, now: float) -> None:
        self._leg = leg
        self._note = note
        self._steer = settings.steer
        self._sent = OpusLadder(settings.opus, now)
        self._received = OpusLadder(settings.opus, now)
        self.steerable = False
        """Whether the peer's page does what it is told; it has shown that it is ours."""
        leg.set_tier(self._sent.rung.name)

    @property
    def tier(self) -> str:
        """As `Steering` says."""
        return self._sent.rung.name

    @property
    def stuck(self) -> bool:
        """As `Steering` says."""
        return self._sent.stuck or self._received.stuck

    @property
    def codings(self) -> tuple[Coding, Coding]:
        """As `Steering` says."""
        return _opus(self._received.rung if self.steerable else RUNGS[0]), _opus(self._sent.rung)

    def on_media(self, media: wire.MediaChanged, now: float) -> None:
        """As `Steering` says."""

    def on_refused(self, status: int, now: float) -> None:
        """As `Steering` says."""

    def on_reports(
        self, received: QualityReport, sent: QualityReport | None, now: float, *, busy: bool
    ) -> None:
        """As `Steering` says."""
        if sent is not None:
            before = self._sent.rung
            for command in self._sent.handle((sent,), now):
                self._leg.set_tier(command.rung.name)
                self._note(TierChange("sent", before.name, command.rung.name, command.why))
        if not (self._steer and self.steerable):
            self._received.stuck = received.stalled
            return
        before = self._received.rung
        for command in self._received.handle((received,), now):
            self._leg.send_text(_tune(command.rung))
            self._note(TierChange("received", before.name, command.rung.name, command.why))


def _opus(rung: OpusRung) -> Coding:
    profile = codec_profile("OPUS", rung.bitrate_bps)
    return Coding(profile, rung.ptime_ms, fec=rung.bitrate_bps >= _FEC_BPS)


def _tune(rung: OpusRung) -> str:
    return json.dumps({"type": TUNE_TYPE, "max_bitrate_bps": rung.bitrate_bps, "ptime_ms": rung.ptime_ms})
