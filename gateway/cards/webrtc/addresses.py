"""Which local addresses peers' sockets bind to, and what answers advertise."""

import socket
from typing import Final

import ifaddr

from gateway.cards.webrtc.sdp import Candidate
from gateway.config.webrtc import WebrtcConfig
from gateway.errors import LocalError

LOOPBACK: Final = "127.0.0.1"
_FAR_AWAY: Final = ("192.0.2.1", 9)
"""TEST-NET-1 (RFC 5737): connecting a UDP socket to it sends nothing, but shows the way out."""


def own_addresses() -> list[str]:
    """All IPv4 addresses of this machine, the loopback's too."""
    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return found or [LOOPBACK]


def relay_candidates(config: WebrtcConfig) -> tuple[Candidate, ...]:
    """The relay's addresses as candidates: UDP, and TCP for who cannot. Raises `LocalError`."""
    places = [(each.address, each.port) for each in config.advertise]
    if not places:
        address = config.listen.address
        places = [(_facing_the_world() if address == "0.0.0.0" else address, config.listen.port)]
    return (
        *(Candidate(address, port, "udp") for address, port in places),
        *(Candidate(address, port, "tcp") for address, port in places),
    )


def _facing_the_world() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_FAR_AWAY)
        except OSError as exc:
            raise LocalError("no route to the world: set webrtc.advertise") from exc
        address: str = probe.getsockname()[0]
        return address
