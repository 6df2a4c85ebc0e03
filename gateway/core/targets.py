"""Whom to call: targets as dialplans and the API write them, and the patterns that allow them. Pure.

    sip:op1@pbx · +49305550107@pbx     a user behind the trunk `pbx` of the configuration
    tel:+49-30-5550107                 a number behind whichever trunk may dial it (RFC 3966)
    webrtc:op2                         a person of the configuration at a browser

A target never names a host: calls leave by configured trunks only.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from gateway.errors import LocalError

MAX_USER_CHARS: Final = 128
"""Far beyond any number; PJSIP takes URIs of 255 characters."""

_EXPECTED: Final = "sip:USER@TRUNK, NUMBER@TRUNK, tel:+NUMBER or webrtc:NAME"
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_NUMBER: Final = re.compile(r"\+?[0-9(][0-9().\- ]*")
_GLOBAL_NUMBER: Final = re.compile(r"\+[0-9]{3,}")
_SEPARATORS: Final = str.maketrans("", "", "().- ")
_UNESCAPED: Final = "-_.!~*'()+&=$"
"""Beside letters and digits: what RFC 3261 §25.1 lets stand in a user part, less `;`, `?`, `,` and `/`."""
_CLASSES: Final = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}


class TargetError(LocalError):
    """The target can't be called; the message says why."""


@dataclass(frozen=True, slots=True)
class SipTarget:
    """A user behind a trunk."""

    user: str
    """Unescaped; a number without visual separators."""
    trunk: str | None
    """Name in the configuration; None: whichever may dial it."""


@dataclass(frozen=True, slots=True)
class PersonTarget:
    """A person at a browser."""

    user: str


Target = SipTarget | PersonTarget


def parse_target(text: str) -> Target:
    """The target that a text names. Raises `TargetError`."""
    scheme, colon, rest = text.strip().partition(":")
    match scheme.lower() if colon else "":
        case "webrtc":
            if _NAME.fullmatch(rest) is None:
                raise _unfit(text)
            return PersonTarget(rest)
        case "tel":
            number = rest.partition(";")[0].translate(_SEPARATORS)
            if _GLOBAL_NUMBER.fullmatch(number) is None or len(number) > MAX_USER_CHARS:
                raise _unfit(text)
            return SipTarget(number, None)
        case "sip":
            return _behind_trunk(text, rest)
        case _:
            return _behind_trunk(text, text.strip())


def _behind_trunk(text: str, address: str) -> SipTarget:
    escaped, at, trunk = address.rpartition("@")
    user = unquote(escaped, errors="strict") if _decodable(escaped) else ""
    if _NUMBER.fullmatch(user) is not None:
        user = user.translate(_SEPARATORS)
    usable = at and not {"@", ":"} & set(escaped) and user.isprintable() and 0 < len(user) <= MAX_USER_CHARS
    if not usable or " " in user or _NAME.fullmatch(trunk) is None:
        raise _unfit(text)
    return SipTarget(user, trunk)


def _decodable(escaped: str) -> bool:
    try:
        unquote(escaped, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def _unfit(text: str) -> TargetError:
    return TargetError(f"{text[:MAX_USER_CHARS]!r} is no target: expected {_EXPECTED}")


def escaped_user(user: str) -> str:
    """A user part as it stands in a SIP URI (RFC 3261 §19.1.2); takes whatever `parse_target` gives."""
    return quote(user, safe=_UNESCAPED)


def is_pattern(text: str) -> bool:
    """Whether `allowed` can do something with it: a `*` stands at the end, if anywhere."""
    return bool(text) and text.isprintable() and " " not in text and "*" not in text[:-1]


def names_one(pattern: str) -> bool:
    """Whether a pattern of `allowed` can mean nothing but itself."""
    return not pattern.endswith("*") and _CLASSES.keys().isdisjoint(pattern)


def allowed(user: str, patterns: tuple[str, ...]) -> bool:
    """Whether a user may be dialled: one pattern names it.

    As in Asterisk X is 0-9, Z is 1-9, N is 2-9; a `*` at the end is anything, also nothing. Without
    patterns nobody may be dialled.
    """
    return any(user == pattern or _expression(pattern).fullmatch(user) for pattern in patterns)


def _expression(pattern: str) -> re.Pattern[str]:
    beginning = pattern.removesuffix("*")
    parts = [_CLASSES.get(character) or re.escape(character) for character in beginning]
    return re.compile("".join(parts) + (".*" if pattern.endswith("*") else ""))
