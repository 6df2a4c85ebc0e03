"""The configuration of the WebRTC side: its public port, its cards, who may call from a page."""

from ipaddress import IPv4Address
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gateway.config.ladder import PeerLadderConfig
from gateway.config.section import NO_TRUTH_VALUE, Section, unfit


class AddressPort(Section):
    """`ADDRESS:PORT` with an IPv4 address."""

    expected: ClassVar[str] = "ADDRESS:PORT with an IPv4 address, such as 203.0.113.5:3478"

    address: str
    port: Annotated[int, Field(ge=1, le=65535), NO_TRUTH_VALUE]

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        address, colon, port = value.rpartition(":")
        if not colon or not (port.isascii() and port.isdecimal() and len(port) <= 5):
            raise unfit(cls.expected)
        return {"address": address, "port": int(port)}

    @field_validator("address")
    @classmethod
    def _ipv4(cls, value: str) -> str:
        try:
            return str(IPv4Address(value))
        except ValueError as exc:
            raise unfit(cls.expected) from exc

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class WebrtcConfig(Section):
    """The WebRTC side; off unless this section is there."""

    listen: AddressPort = AddressPort(address="0.0.0.0", port=3478)
    """The one public port for media: UDP, and TCP for networks that block UDP."""
    advertise: list[AddressPort] = Field(default_factory=list)
    """Where peers reach that port; default: the address of the interface that faces the world."""
    max_peers: Annotated[int, Field(ge=1, le=2000), NO_TRUTH_VALUE] = 120
    """Peers beyond this are refused with 503."""
    max_peers_per_card: Annotated[int, Field(ge=1, le=200), NO_TRUTH_VALUE] = 60
    """Peers of one card; a card keeps about one CPU core busy with 60."""
    sample_rate_hz: Literal[16000, 24000] = 16000
    """Sample rate of peers' audio inside the gateway."""
    relay_workers: Annotated[int, Field(ge=1, le=16), NO_TRUTH_VALUE] = 1
    """Processes that share the public port."""
    cors: list[str] = Field(default_factory=list)
    """Origins whose pages may call, such as https://example.com; * for any."""
    orphan_timeout_s: Annotated[float, Field(ge=0, le=3600), NO_TRUTH_VALUE] = 30.0
    """How long peers stay connected while the core is being restarted."""
    ladder: PeerLadderConfig = Field(default_factory=PeerLadderConfig)
    """What calls fall back to when the network is bad."""

    @property
    def cards(self) -> int:
        """Line cards that carry `max_peers`."""
        return -(-self.max_peers // self.max_peers_per_card)

    @field_validator("advertise", "cors")
    @classmethod
    def _no_repeats(cls, value: list[object]) -> list[object]:
        if any(item in value[:index] for index, item in enumerate(value)):
            raise unfit("each entry once", found="an entry that is repeated")
        return value

    @field_validator("advertise")
    @classmethod
    def _reachable(cls, value: list[AddressPort]) -> list[AddressPort]:
        if any(IPv4Address(each.address).is_unspecified for each in value):
            raise unfit("addresses that peers can send to", found="0.0.0.0")
        return value

    @field_validator("cors")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            if origin != "*" and not _is_origin(origin):
                raise unfit("origins such as https://example.com or http://localhost:3000, or *")
        return value


def _is_origin(text: str) -> bool:
    """Whether a browser could send this as `Origin` (RFC 6454 section 6.2): scheme, host and port alone."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    host = url.hostname or ""
    plain = f"{url.scheme}://{f'[{host}]' if ':' in host else host}" + (f":{port}" if port else "")
    return url.scheme in ("http", "https") and bool(host) and text == plain
