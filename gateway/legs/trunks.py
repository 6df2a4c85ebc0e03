"""From a target and the trunk it is behind to the call that has to be placed. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from gateway.config.trunks import TrunkConfig
from gateway.core.targets import MAX_USER_CHARS, SipTarget, TargetError, allowed, escaped_user
from gateway.legs.dials import DialRequest, Headers

ANONYMOUS: Final = "gateway"
"""Who calls, where neither the trunk nor the caller has a name."""

MAX_URI_CHARS: Final = 255
"""What PJSIP takes."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
_OURS: Final = {
    *("via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "max-forwards"),
    *("content-type", "content-length", "content-encoding", "authorization", "proxy-authorization"),
    *("require", "proxy-require", "supported", "allow", "v", "f", "t", "i", "m", "c", "l", "e", "k"),
}
"""Headers of the call itself (RFC 3261 §20), with their short forms."""


def choose_trunk(trunks: Mapping[str, TrunkConfig], target: SipTarget) -> tuple[str, TrunkConfig]:
    """The trunk that a target names, or the first one that may dial it. Raises `TargetError`."""
    if target.trunk is not None:
        trunk = trunks.get(target.trunk)
        if trunk is None:
            known = ", ".join(trunks) or "none"
            raise TargetError(f"there is no trunk {target.trunk!r} (configured: {known})")
        if not allowed(target.user, tuple(trunk.allow)):
            raise TargetError(
                f"trunk {target.trunk} may not dial this number: no pattern of its `allow` fits"
            )
        return target.trunk, trunk
    for name, trunk in trunks.items():
        if allowed(target.user, tuple(trunk.allow)):
            return name, trunk
    raise TargetError("no trunk may dial this number: no pattern of their `allow` fits")


def dial_request(
    trunks: Mapping[str, TrunkConfig],
    target: SipTarget,
    *,
    caller: str = "",
    caller_name: str = "",
    headers: Headers = (),
) -> DialRequest:
    """The call to place. Raises `TargetError`: unknown trunk, not allowed, unfit header.

    caller: number or user to show where the trunk has no caller id of its own.
    """
    _, trunk = choose_trunk(trunks, target)
    _check(headers)
    transport = ";transport=tcp" if trunk.transport == "tcp" else ""
    routes: Headers = ()
    if trunk.domain is not None:
        routes = (("Route", f"<sip:{trunk.address}{transport};lr>"),)
    return DialRequest(
        target_uri=_uri(target.user, trunk),
        from_uri=_from_uri(trunk, caller, caller_name),
        headers=(*routes, *headers),
        username=trunk.username,
        password=trunk.password.get_secret_value(),
    )


def refer_uri(trunks: Mapping[str, TrunkConfig], target: SipTarget) -> str:
    """The address for Refer-To when the far end is to call a target itself. Raises `TargetError`."""
    _, trunk = choose_trunk(trunks, target)
    return _uri(target.user, trunk)


def _uri(user: str, trunk: TrunkConfig) -> str:
    transport = ";transport=tcp" if trunk.transport == "tcp" else ""
    host = trunk.domain if trunk.domain is not None else f"{trunk.address}{transport}"
    uri = f"sip:{escaped_user(user)}@{host}"
    if len(uri) > MAX_URI_CHARS:
        raise TargetError(f"the address called would have more than {MAX_URI_CHARS} characters")
    return uri


def _from_uri(trunk: TrunkConfig, caller: str, caller_name: str) -> str:
    user = (
        trunk.from_user
        or (caller[:MAX_USER_CHARS] if caller.isprintable() else "")
        or trunk.username
        or ANONYMOUS
    )
    uri = f"<sip:{escaped_user(user)}@{trunk.domain or trunk.address.host}>"
    name = "".join(each for each in caller_name if each.isprintable())[:64]
    if not name:
        return uri
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" {uri}'


def _check(headers: Headers) -> None:
    for name, value in headers:
        if _HEADER_NAME.fullmatch(name) is None or name.lower() in _OURS:
            raise TargetError(f"{name[:64]!r} is no header that may be added")
        if not value.isprintable() or len(value) > 1024:
            raise TargetError(f"header {name}: expected up to 1024 characters on one line")
