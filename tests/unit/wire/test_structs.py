"""Control messages: every one survives the wire, and nothing else than `WireError` comes of rubbish."""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.ids import CardId, LegId
from gateway.wire import card, edge
from gateway.wire.frames import FrameDecoder, FrameKind, WireError

Unpack = Callable[[bytes], object]


def payload(frame: bytes) -> bytes:
    ((kind, content),) = FrameDecoder().feed(frame)
    assert kind == FrameKind.CONTROL
    return content


def messages(union: object) -> st.SearchStrategy[Any]:
    return st.one_of([st.from_type(member) for member in get_args(union)])


# What the integers are on the wire: msgpack has 64 bits.
st.register_type_strategy(int, st.integers(-(2**63), 2**64 - 1))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
st.register_type_strategy(bytes, st.binary(max_size=50))

INCOMING = card.Incoming(
    LegId(1), "a@b", "sip:1@x", "<sip:2@y>", "<sip:1@x>", (("X-Grüße", "\N{SNOWMAN}"),), "udp:1.2.3.4:5", 7.5
)


@given(messages(card.FromCard))
@example(card.Snapshot((card.LegSnapshot(INCOMING, "held", b"\x00\xff"),)))
def test_from_card(message: card.FromCard) -> None:
    assert card.unpack_from_card(payload(card.pack_control(message))) == message


@given(messages(card.ToCard))
def test_to_card(message: card.ToCard) -> None:
    assert card.unpack_to_card(payload(card.pack_control(message))) == message


@given(messages(edge.EdgeToCore))
def test_edge_to_core(message: edge.EdgeToCore) -> None:
    assert edge.unpack_edge_to_core(payload(edge.pack_link(message))) == message


@given(messages(edge.CoreToEdge))
def test_core_to_edge(message: edge.CoreToEdge) -> None:
    assert edge.unpack_core_to_edge(payload(edge.pack_link(message))) == message


@given(st.from_type(edge.CardStatus))
def test_card_status(status: edge.CardStatus) -> None:
    assert edge.unpack_status(edge.pack_status(status)) == status


@given(st.from_type(edge.SpawnCard))
def test_orders_to_the_template_are_lines(order: edge.SpawnCard) -> None:
    line = edge.pack_line(order)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert edge.unpack_spawn(line) == order


@given(messages(edge.FromTemplate))
def test_news_from_the_template(message: edge.FromTemplate) -> None:
    assert edge.unpack_from_template(edge.pack_line(message)) == message


UNPACKERS: list[Unpack] = [
    card.unpack_from_card,
    card.unpack_to_card,
    edge.unpack_edge_to_core,
    edge.unpack_core_to_edge,
    edge.unpack_status,
    edge.unpack_spawn,
    edge.unpack_from_template,
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
NAMES = st.sampled_from([m.__name__ for m in get_args(card.FromCard) + get_args(card.ToCard)])


@pytest.mark.parametrize("unpack", UNPACKERS)
@given(st.binary(max_size=100))
@example(b"\x95\xa9LegClosed\x01\xcc\xc8\xa2\xff\xfe\xa7far_end")
@example(b"\x91" * 100_000)
@example(b"[" * 100_000)
def test_rubbish_is_a_wire_error_or_nothing(unpack: Unpack, rubbish: bytes) -> None:
    try:
        unpack(rubbish)
    except WireError:
        return


@pytest.mark.parametrize("unpack", [card.unpack_from_card, card.unpack_to_card])
@given(NAMES, st.lists(VALUES, max_size=8))
def test_messages_with_wrong_fields_are_wire_errors_or_nothing(
    unpack: Unpack, name: str, fields: list[object]
) -> None:
    try:
        unpack(msgspec.msgpack.encode([name, *fields]))
    except WireError:
        return


def test_the_error_says_what_was_wrong() -> None:
    with pytest.raises(WireError, match="control message from card: Invalid value 'Nonsense'"):
        card.unpack_from_card(msgspec.msgpack.encode(["Nonsense", 1]))


def test_a_message_for_the_other_direction_is_refused() -> None:
    with pytest.raises(WireError):
        card.unpack_from_card(payload(card.pack_control(card.Answer(LegId(1)))))
    with pytest.raises(WireError):
        edge.unpack_core_to_edge(payload(edge.pack_link(edge.CardDown(CardId(1), 2, "exit 0"))))
