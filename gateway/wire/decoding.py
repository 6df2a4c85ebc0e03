"""Decoding of structs that another process sent."""

from typing import Protocol, TypeVar

import msgspec

from gateway.wire.frames import WireError

T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """One of msgspec's decoders."""

    def decode(self, buf: bytes, /) -> T_co:
        """Decode one message."""


def decoded(decoder: Decoder[T_co], payload: bytes, what: str) -> T_co:
    """The message; `what` names it in the error. Raises `WireError`, whatever the bytes are."""
    try:
        return decoder.decode(payload)
    # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise WireError(f"{what}: {exc}") from exc
