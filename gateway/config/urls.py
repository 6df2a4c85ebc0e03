"""URLs of services that the gateway talks to: TLS, except within one's own network; and their headers."""

from ipaddress import ip_address
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.config.section import Expected, unfit

_EXPECTED: Final = (
    "https://HOST/PATH without user and password; http:// only for localhost, a private address or "
    "a host name without dots"
)


def _checked(value: str) -> str:
    try:
        url = urlsplit(value)
        host, port = url.hostname or "", url.port
    except ValueError as exc:
        raise unfit(_EXPECTED) from exc
    safe = url.scheme == "https" or (url.scheme == "http" and _is_near(host))
    if not safe or not host or port == 0 or url.username or url.password or url.fragment:
        raise unfit(_EXPECTED)
    return value


def _is_near(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host.rstrip(".")


ServiceUrl = Annotated[str, AfterValidator(_checked)]
"""The address of a service."""

HeaderName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"), Expected("the name of an HTTP header")
]
"""A token of RFC 9110 section 5.6.2."""
