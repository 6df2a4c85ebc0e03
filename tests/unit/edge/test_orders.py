"""What a card is told."""

from itertools import pairwise
from pathlib import Path

import pytest

from gateway.config.models import CODECS, SipConfig
from gateway.core.ids import CardId
from gateway.edge.orders import card_order, rtp_address


def _sip(**values: object) -> SipConfig:
    return SipConfig.model_validate(values)


def test_the_blocks_of_ports_do_not_overlap_and_stay_in_range() -> None:
    sip = _sip(rtp_ports="20000-24999", max_calls=200)
    orders = [card_order(CardId(card), sip, Path("/r"), 40000) for card in range(sip.max_cards)]
    assert all(left.rtp_port_high < right.rtp_port_low for left, right in pairwise(orders))
    assert orders[0].rtp_port_low == 20000
    assert orders[-1].rtp_port_high <= 24999
    assert all(order.rtp_port_low % 2 == 0 for order in orders)


def test_sockets_and_addresses() -> None:
    order = card_order(CardId(7), _sip(), Path("/r"), 40000)
    assert (order.socket_path, order.status_path) == ("/r/card7.sock", "/r/status.sock")
    assert order.edge_sip == "127.0.0.1:40000"


def test_codecs_in_the_order_of_the_configuration() -> None:
    order = card_order(CardId(0), _sip(codecs=["pcma", "speex", "pcmu"]), Path("/r"), 1)
    assert order.codecs == ("PCMA/8000/1", "speex/8000/1", "speex/16000/1", "PCMU/8000/1")
    assert len(card_order(CardId(0), _sip(codecs=list(CODECS)), Path("/r"), 1).codecs) == 7


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        (["udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"], "127.0.0.1"),
        (["udp://127.0.0.1:5060", "udp://127.0.0.2:5060"], "0.0.0.0"),
        (["udp://0.0.0.0:5060"], "0.0.0.0"),
    ],
)
def test_rtp_is_bound_where_sip_is(listen: list[str], address: str) -> None:
    assert rtp_address(_sip(listen=listen)) == address
