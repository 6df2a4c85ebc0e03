"""Stands before the calls: legs that answer a ring go to whoever rings, all others become calls."""

from gateway.legs.people.people import People, answers_ring
from gateway.legs.pool import OnAdopted, OnIncoming
from gateway.legs.proxy import RemoteLeg
from gateway.observe.log import get_logger
from gateway.wire import card as wire

log = get_logger()


class Door:
    """Takes what a `CardPool` finds."""

    def __init__(self, people: People, on_incoming: OnIncoming, on_adopted: OnAdopted) -> None:
        """`on_incoming` and `on_adopted`: the calls'."""
        self._people = people
        self._incoming = on_incoming
        self._adopted = on_adopted

    def on_incoming(self, leg: RemoteLeg, incoming: wire.Incoming) -> None:
        """A card offers a new leg."""
        if not self._people.claims(leg, incoming):
            self._incoming(leg, incoming)

    def on_adopted(self, leg: RemoteLeg, snapshot: wire.LegSnapshot) -> None:
        """A card holds a leg that an earlier core knew; one that answered a ring needs its call's memory."""
        if answers_ring(leg, snapshot.incoming) and not snapshot.kept:
            log.warning("a person's leg has lost its call", card=leg.address[0])
            leg.close(480, "Temporarily Unavailable")
            return
        self._adopted(leg, snapshot)
