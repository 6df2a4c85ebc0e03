"""Which ladder a leg gets: from the configuration, per trunk and for WebRTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from gateway.config.ladder import PeerLadderConfig, PhoneLadderConfig
from gateway.config.models import GatewayConfig
from gateway.core.ladder.opus import OpusSettings
from gateway.core.ladder.pace import PaceSettings
from gateway.core.ladder.sip import SipSettings


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """Of WebRTC legs."""

    opus: OpusSettings
    steer: bool
    """Whether the peer's page is told how much to send."""


@dataclass(frozen=True, slots=True)
class Ladders:
    """Of all legs; None: no ladder, the quality is watched all the same."""

    phone: SipSettings | None = field(default_factory=SipSettings)
    """Of phones that come by no trunk."""
    trunks: Mapping[str, SipSettings | None] = field(default_factory=dict)
    peer: PeerSettings | None = field(default_factory=lambda: PeerSettings(OpusSettings(), steer=True))

    @classmethod
    def of(cls, config: GatewayConfig) -> Self:
        """As configured."""
        webrtc = config.webrtc
        return cls(
            phone=_phone(config.sip.ladder),
            trunks={name: _phone(trunk.ladder) for name, trunk in config.trunks.items()},
            peer=_peer(webrtc.ladder) if webrtc is not None else None,
        )

    def for_trunk(self, trunk: str) -> SipSettings | None:
        """trunk: empty for a phone that comes by none."""
        return self.trunks.get(trunk, self.phone) if trunk else self.phone


def _phone(config: PhoneLadderConfig) -> SipSettings | None:
    if not config.enabled:
        return None
    return SipSettings(
        codecs=tuple(codec.upper() for codec in config.codecs),
        most_ptime_ms=config.most_ptime_ms,
        lossy=config.lossy,
        pace=PaceSettings(up_after_s=config.up_after_s),
    )


def _peer(config: PeerLadderConfig) -> PeerSettings | None:
    if not config.enabled:
        return None
    return PeerSettings(OpusSettings(pace=PaceSettings(up_after_s=config.up_after_s)), config.steer_peer)
