"""What a person's page and the gateway say to each other: JSON objects told apart by `type`. Pure.

From the page, once it has signed in: ready, away, decline, hold, resume, hand_back, hang_up.
To the page: ring, ring_ended, joined, held, said, left, refused.
"""

from typing import Final, Literal

import msgspec

MAX_REQUEST_BYTES: Final = 4096
"""Longer messages of a page are refused unread."""

Role = Literal["caller", "agent", "person"]
"""caller: who called · agent: the AI · person: whoever answers at the page."""


class TranscriptLine(msgspec.Struct, frozen=True):
    """Something that was said."""

    role: Role
    text: str
    """Personal data."""


# ---- to the page ----------------------------------------------------------------------------------


class _Told(msgspec.Struct, frozen=True, kw_only=True, rename={"from_party": "from"}, tag_field="type"):
    """A message to the page."""


class Ring(_Told, frozen=True, tag="ring"):
    """A call for this person. All but `ring_id` is personal data."""

    ring_id: str
    from_party: str
    to: str
    agent: str
    """Who hands the call over; empty if nobody spoke with the caller yet."""
    transcript: tuple[TranscriptLine, ...]


class RingEnded(_Told, frozen=True, tag="ring_ended"):
    """It rings no more."""

    ring_id: str
    reason: str
    """answered_elsewhere, or why the ring failed (`RingFailure`), or the word of who cancelled it."""


class Joined(_Told, frozen=True, tag="joined"):
    """The person is in the call now."""

    ring_id: str
    call_id: str
    held: bool


class Held(_Told, frozen=True, tag="held"):
    """The other parties were put on hold, or taken back."""

    held: bool


class Said(_Told, frozen=True, tag="said"):
    """A line of the transcript."""

    role: Role
    text: str


class Left(_Told, frozen=True, tag="left"):
    """The person is out of the call."""

    ring_id: str
    reason: str


class Refused(_Told, frozen=True, tag="refused"):
    """A message of the page was not understood or is of no use now."""

    message: str


ToPage = Ring | RingEnded | Joined | Held | Said | Left | Refused

# ---- from the page --------------------------------------------------------------------------------

LineRequest = Literal["hold", "resume", "hand_back", "hang_up"]
"""What a person in a call may ask for. hand_back: leave, and let the AI go on with the caller."""


class PageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any message of the page."""

    type: Literal["ready", "away", "decline", "hold", "resume", "hand_back", "hang_up"]
    ring_id: str = ""
    """Which ring is declined."""


class BadPageRequestError(Exception):
    """The page sent something else."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(PageRequest)


def to_text(message: ToPage) -> str:
    """A message to the page as JSON."""
    return _encoder.encode(message).decode()


def read_request(text: str) -> PageRequest:
    """A message of the page. Raises `BadPageRequestError`, whose text does not quote the message."""
    if len(text) > MAX_REQUEST_BYTES:
        raise BadPageRequestError(f"a message has at most {MAX_REQUEST_BYTES} bytes")
    try:
        return _decoder.decode(text)
    # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise BadPageRequestError("expected a JSON object with a known type") from exc
