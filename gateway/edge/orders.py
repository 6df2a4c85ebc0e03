"""What a card is told at its start. Pure."""

from pathlib import Path
from typing import Final

from gateway.config.models import RTP_PORTS_PER_CARD, Codec, SipConfig
from gateway.core.ids import CardId
from gateway.edge.face import ANY_ADDRESS, LOOPBACK
from gateway.edge.link import STATUS_SOCKET
from gateway.wire.edge import SpawnCard

SAMPLE_RATE_HZ: Final = 8000
ORPHAN_TIMEOUT_S: Final = 30.0

_PJSIP_IDS: Final[dict[Codec, tuple[str, ...]]] = {
    "pcmu": ("PCMU/8000/1",),
    "pcma": ("PCMA/8000/1",),
    "g722": ("G722/16000/1",),
    "gsm": ("GSM/8000/1",),
    "ilbc": ("iLBC/8000/1",),
    "speex": ("speex/8000/1", "speex/16000/1"),
}


def card_socket(run_dir: Path, card: CardId) -> str:
    """Where a card listens for the core."""
    return str(run_dir / f"card{card}.sock")


def card_order(card: CardId, sip: SipConfig, run_dir: Path, inner_port: int) -> SpawnCard:
    """The order for one card; its number chooses its block of RTP ports."""
    low = sip.rtp_ports.low + card * RTP_PORTS_PER_CARD
    return SpawnCard(
        card=card,
        socket_path=card_socket(run_dir, card),
        status_path=str(run_dir / STATUS_SOCKET),
        edge_sip=f"{LOOPBACK}:{inner_port}",
        rtp_address=rtp_address(sip),
        rtp_port_low=low,
        rtp_port_high=low + RTP_PORTS_PER_CARD - 1,
        codecs=tuple(name for codec in sip.codecs for name in _PJSIP_IDS[codec]),
        sample_rate_hz=SAMPLE_RATE_HZ,
        rtp_timeout_s=sip.rtp_timeout_s,
        orphan_timeout_s=ORPHAN_TIMEOUT_S,
    )


def rtp_address(sip: SipConfig) -> str:
    """Where RTP is bound: as narrow as SIP itself."""
    addresses = {each.address for each in sip.listen}
    return addresses.pop() if len(addresses) == 1 else ANY_ADDRESS
