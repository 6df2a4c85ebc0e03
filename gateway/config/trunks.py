"""The configuration of trunks: the phone systems and carriers that calls go out to and come in from."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from gateway.config.ladder import PhoneLadderConfig
from gateway.config.secret import Secret
from gateway.config.section import NO_TRUTH_VALUE, Expected, Section, unfit
from gateway.core.targets import is_pattern

SIP_PORT = 5060

_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_USER = r"^[A-Za-z0-9+*#._~!$&'()=-]{1,64}$"
_USER_EXPECTED = "up to 64 letters, digits and signs such as + - . _"

TrunkName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$"),
    Expected("a name of up to 63 small letters, digits, dashes and underscores that begins with a letter"),
]
"""Dialled as sip:USER@NAME."""


class HostPort(Section):
    """`HOST` or `HOST:PORT`."""

    expected: ClassVar[str] = "HOST or HOST:PORT with an IPv4 address or a host name, such as 192.0.2.5:5060"

    host: str
    port: Annotated[int, Field(ge=1, le=65535), NO_TRUTH_VALUE] = SIP_PORT

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        host, colon, port = value.partition(":")
        if colon and not (port.isascii() and port.isdecimal() and len(port) <= 5):
            raise unfit(cls.expected)
        return {"host": host, "port": int(port) if colon else SIP_PORT}

    @field_validator("host")
    @classmethod
    def _a_host(cls, value: str) -> str:
        last = value.rpartition(".")[2]
        if _HOST.fullmatch(value) is None or (last.isdecimal() and not _is_ipv4(value)):
            raise unfit(cls.expected)
        return value

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


class TrunkConfig(Section):
    """One phone system or carrier."""

    address: HostPort
    """Where calls are sent: HOST or HOST:PORT."""
    transport: Literal["udp", "tcp"] = "udp"
    """How; sip.listen must have an address of the same kind."""
    username: Annotated[str, Field(max_length=128)] = ""
    """For a digest challenge; empty: the trunk knows us by our address."""
    password: Secret = SecretStr("")
    """For a digest challenge; use an environment reference such as ${PBX_PASSWORD}."""
    from_user: Annotated[str | None, Field(pattern=_USER), Expected(_USER_EXPECTED)] = None
    """Caller id of every call; default: whoever calls us, else the username."""
    domain: str | None = None
    """Domain in our From and in the address called; default: the host of `address`."""
    allow: list[str] = Field(default_factory=list)
    """Who may be dialled, e.g. "+49*", "op*", "2XX" (X: 0-9, Z: 1-9, N: 2-9); default: nobody."""
    sources: list[str] = Field(default_factory=list)
    """Addresses and networks that its calls come from; default: `address`."""
    region: Annotated[
        str | None, Field(pattern=r"^[A-Z]{2}$"), Expected("a country such as DE, two capital letters")
    ] = None
    """Country whose way of writing numbers the trunk uses."""
    numbers: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field(default_factory=list)
    """Numbers whose calls come by it, e.g. "+49305550100", "+493055501XX"; a dialplan that serves not all
    of them is a mistake."""

    ladder: PhoneLadderConfig = Field(default_factory=PhoneLadderConfig)
    """What its calls fall back to when the network is bad."""

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """What `sources` says; of a host name without sources nothing is known."""
        if not self.sources and _is_ipv4(self.address.host):
            return (IPv4Network(self.address.host),)
        return tuple(IPv4Network(source) for source in self.sources)

    def sends_from(self, address: str) -> bool:
        """Whether a call from this IPv4 address is one of the trunk's."""
        return _is_ipv4(address) and any(IPv4Address(address) in network for network in self.networks)

    @field_validator("username")
    @classmethod
    def _one_word(cls, value: str) -> str:
        if not value.isprintable() or " " in value or '"' in value:
            raise unfit("a name without blanks and quotes")
        return value

    @field_validator("domain")
    @classmethod
    def _a_domain(cls, value: str | None) -> str | None:
        if value is not None and _HOST.fullmatch(value) is None:
            raise unfit("a domain such as sip.example.com")
        return value

    @field_validator("numbers")
    @classmethod
    def _number_patterns(cls, value: list[str]) -> list[str]:
        if not all(is_pattern(number) for number in value):
            raise unfit('numbers without blanks, with X, Z, N for digits and a "*" at most at the end')
        return value

    @field_validator("allow")
    @classmethod
    def _patterns(cls, value: list[str]) -> list[str]:
        if not all(is_pattern(pattern) for pattern in value):
            raise unfit('users and numbers without blanks, with a "*" at most at the end')
        return value

    @field_validator("sources")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        try:
            return [str(IPv4Network(source)) for source in value]
        except ValueError as exc:
            raise unfit("IPv4 addresses and networks such as 192.0.2.5 or 192.0.2.0/24") from exc

    @model_validator(mode="after")
    def _both_or_none(self) -> "TrunkConfig":
        if self.password.get_secret_value() and not self.username:
            raise unfit("a username beside the password", found="none", key="password")
        return self


def reachable(trunks: Mapping[str, TrunkConfig], transports: Iterable[str]) -> None:
    """Each trunk is called over a transport that we listen on. Raises what validators raise."""
    listened = set(transports)
    for name, trunk in trunks.items():
        if trunk.transport not in listened:
            raise unfit(
                f"an address {trunk.transport}:// in sip.listen for the trunk {name}",
                found="none",
                key="trunks",
            )
