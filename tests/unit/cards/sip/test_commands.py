"""A call that is to be placed, checked before PJSIP sees it."""

import pytest

from gateway.cards.sip.commands import MAX_HEADER_BYTES, MAX_URI_BYTES, UnfitError, described, outgoing_call
from gateway.core.ids import LegId
from gateway.wire import card as wire


def dial(**values: object) -> wire.Dial:
    plain: dict[str, object] = {
        "request": 5,
        "sip_call_id": "c1",
        "target_uri": "sip:op1@192.0.2.5",
        "from_uri": '"A" <sip:1@x>',
    }
    return wire.Dial(**{**plain, **values})  # type: ignore[arg-type]


def test_everything_is_passed_on() -> None:
    call = outgoing_call(dial(headers=(("X", "ü"),), username="u", password="p"))
    assert (call.uri, call.from_uri, call.sip_call_id) == ("sip:op1@192.0.2.5", '"A" <sip:1@x>', "c1")
    assert (call.headers, call.username, call.password) == ((("X", "ü"),), "u", "p")


@pytest.mark.parametrize(
    "values",
    [
        {"target_uri": "sip:a@b\r\nX: y"},
        {"from_uri": "sip:a@b\n"},
        {"sip_call_id": "a\0"},
        {"username": "a\tb"},
        {"headers": (("X", "a\r\nY: b"),)},
        {"headers": (("X\r\nY", "b"),)},
    ],
)
def test_nothing_can_be_smuggled_into_the_message(values: dict[str, object]) -> None:
    with pytest.raises(UnfitError, match="control character"):
        outgoing_call(dial(**values))


def test_what_is_too_long_for_pjsip() -> None:
    fits = "sip:" + "a" * (MAX_URI_BYTES - 6) + "@b"
    assert outgoing_call(dial(target_uri=fits, from_uri=fits)).uri == fits
    for values in ({"target_uri": fits + "b"}, {"from_uri": fits[:-1] + "ü"}):
        with pytest.raises(UnfitError, match="address of no or more than"):
            outgoing_call(dial(**values))
    with pytest.raises(UnfitError, match="headers of more than"):
        outgoing_call(dial(headers=(("X", "a" * MAX_HEADER_BYTES),)))


def test_a_snapshot_tells_whom_we_call() -> None:
    found = described(dial(), LegId(3), 7.5)
    assert (found.leg, found.sip_call_id, found.to_header) == (LegId(3), "c1", "sip:op1@192.0.2.5")
    assert (found.from_header, found.received_at_s) == ('"A" <sip:1@x>', 7.5)


def test_a_password_is_not_shown() -> None:
    message = dial(username="gw", password="s3cret")
    assert "s3cret" not in repr(message) + repr(outgoing_call(message))
