"""A flow table with cards that answer, and who talks to them."""

from gateway.edge.relay.flows import Client, FlowTable
from gateway.wire.ufrag import encode
from tests.unit.edge.relay.messages import ERROR, REQUEST, SUCCESS, Transactions, answer, message, request

SECRET = b"s" * 32
CARD, OTHER_CARD = 40001, 40002
ALICE, ALICE_MOVED, MALLORY = ("192.0.2.1", 1111), ("192.0.2.1", 2222), ("198.51.100.9", 6666)
RTP = b"\x80" + bytes(99)
DTLS = b"\x16" + bytes(99)


class Stage:
    """A table with cards that answer; `key` says whether the client knows the peer's password."""

    def __init__(self, max_flows: int = 100) -> None:
        self.table = FlowTable(SECRET, max_flows=max_flows)
        self.ids = Transactions()
        self.ufrag = {port: encode(port, SECRET) for port in (CARD, OTHER_CARD)}
        self.now = 100.0

    def dropped(self, why: str) -> int:
        """Datagrams that were dropped for this reason."""
        return self.table.counters[f"relay_dropped_{why}_total"]

    def up(self, client: Client, data: bytes = RTP) -> int | None:
        """A datagram of a client: the card's port that gets it."""
        return self.table.to_card(client, data, self.now)

    def down(self, data: bytes = RTP, port: int = CARD) -> Client | None:
        """A datagram of a card: the client that gets it."""
        return self.table.to_client(port, data, self.now)

    def ask(self, client: Client, *, port: int = CARD, nominated: bool = False) -> bytes:
        """A check that reaches the card; its transaction."""
        transaction = self.ids.next()
        assert self.up(client, request(self.ufrag[port], transaction, nominated=nominated)) == port
        return transaction

    def check(self, client: Client, *, port: int = CARD, nominated: bool = False, key: bool = True) -> bytes:
        """A check and the card's answer to it, which goes back to the client; its transaction."""
        transaction = self.ask(client, port=port, nominated=nominated)
        assert self.down(answer(SUCCESS if key else ERROR, transaction), port) == client
        return transaction

    def prove(self, client: Client, port: int = CARD) -> None:
        """The card checks the client, which answers."""
        transaction = self.ids.next()
        assert self.down(message(REQUEST, transaction), port) == client
        assert self.up(client, answer(SUCCESS, transaction)) == port

    def connect(self, client: Client, port: int = CARD) -> bytes:
        """As a browser does it."""
        transaction = self.check(client, port=port, nominated=True)
        self.prove(client, port)
        return transaction
