"""What a command of the core means for a leg, and for a call that is to be placed."""

from collections.abc import Sequence

from gateway.cards.sip.contract import Headers, OutgoingCall, PjsipError
from gateway.cards.sip.leg import Leg
from gateway.cards.sip.sdp import codec_name, rtp_clock_hz
from gateway.core.ids import LegId
from gateway.core.ladder.codings import ptimes_ms
from gateway.wire import card as wire

MAX_URI_BYTES = 255
"""PJSIP_MAX_URL_SIZE of the wheel is 256."""
MAX_HEADER_BYTES = 1500
"""All headers of an INVITE that the core adds; PJSIP's buffer holds 4000 with SDP and everything."""


class UnfitError(PjsipError):
    """What would spoil a message, or PJSIP."""


def tiers(codec_ids: Sequence[str]) -> tuple[str, ...]:
    """What legs may change to, of PJSIP's codecs (`iLBC/8000/1`): codec and packet time, `ILBC/30`."""
    found = []
    for codec_id in codec_ids:
        encoding, rate_hz, _ = codec_id.split("/")
        name = codec_name(encoding, rtp_clock_hz(encoding, int(rate_hz)))
        found += [f"{name}/{ptime_ms}" for ptime_ms in ptimes_ms(name)]
    return tuple(found)


def outgoing_call(message: wire.Dial) -> OutgoingCall:
    """The call to place. Raises `UnfitError`."""
    _check(message.target_uri, message.headers)
    _check(message.from_uri or "sip:", ())
    if not (message.sip_call_id.isprintable() and message.username.isprintable()):
        raise UnfitError("a control character")
    return OutgoingCall(
        uri=message.target_uri,
        headers=message.headers,
        from_uri=message.from_uri,
        sip_call_id=message.sip_call_id,
        username=message.username,
        password=message.password,
    )


def described(message: wire.Dial, leg: LegId, now: float) -> wire.Incoming:
    """A call that we place, as a snapshot tells of it."""
    return wire.Incoming(
        leg,
        message.sip_call_id,
        message.target_uri,
        message.from_uri,
        message.target_uri,
        (),
        "",
        now,
    )


def _check(uri: str, headers: Headers) -> None:
    if not all(text.isprintable() for text in (uri, *(text for pair in headers for text in pair))):
        raise UnfitError("a control character")
    if not uri or len(uri.encode()) > MAX_URI_BYTES:
        raise UnfitError(f"an address of no or more than {MAX_URI_BYTES} bytes")
    if sum(len(name) + len(value.encode()) + 4 for name, value in headers) > MAX_HEADER_BYTES:
        raise UnfitError(f"headers of more than {MAX_HEADER_BYTES} bytes")


def carry_out(leg: Leg, message: wire.ToCard) -> None:
    """One command for one leg. Raises `PjsipError`."""
    match message:
        case wire.Ring(early_media=early_media):
            leg.ring(early_media=early_media)
        case wire.Answer():
            leg.answer()
        case wire.Reject(status=status, reason=reason, headers=headers):
            leg.reject(status, reason, headers)
        case wire.Hangup(status=status, reason=reason, drain=drain):
            leg.hangup(status, reason, drain=drain)
        case wire.Flush(request=request):
            leg.flush(request)
        case wire.Pause():
            leg.playout.pause()
        case wire.Resume():
            leg.playout.resume()
        case wire.SendDtmf(digits=digits):
            leg.send_dtmf(digits)
        case wire.Hold(held=held):
            leg.hold(held)
        case wire.SetTier(tier=tier):
            leg.set_tier(tier)
        case wire.Transfer(target_uri=target_uri, headers=headers):
            _check(target_uri, headers)
            leg.transfer(target_uri, headers)
        case wire.Keep(state=state):
            leg.kept = state
        case _:
            raise PjsipError("not a command for a leg")
