"""What the edge remembers of a call: enough to route it by Call-ID and to end it for a dead card. Pure.

A record lives until LINGER_S after its call has ended, so that late retransmissions still find the
card that answers them (64 x T1, RFC 3261 §17).
"""

import heapq
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from gateway.core.ids import CardId
from gateway.edge.commands import Flow
from gateway.edge.message import SipMessage
from gateway.edge.replies import ReplyTo
from gateway.edge.syntax import address_uri, tag_of

LINGER_S: Final = 64.0
MAX_ENDED: Final = 20_000


class CallPhase(Enum):
    """Where a call is, as far as the edge has to know."""

    PARKED = auto()
    """Waits for a card; 100 Trying was sent."""
    OFFERED = auto()
    """INVITE on its way, no final answer."""
    UP = auto()
    """2xx seen."""
    ENDED = auto()


@dataclass(slots=True)
class CallRecord:
    """One Call-ID. `local` is the card's side, `remote` the far end's."""

    call_id: bytes
    phase: CallPhase
    inbound: bool
    flow: Flow
    """Where the far end's last message came from, or our first one went to."""
    from_tag: bytes
    cseq: int
    """Of the latest INVITE that began the call."""
    branch: bytes
    """What our Via on that INVITE carries."""
    reply_to: ReplyTo
    card: CardId | None = None
    direct: bool = False
    """The far end is the user agent itself, no proxy between: it is reached where it sends from."""
    trying_sent: bool = False
    """The edge has sent 100 itself; the card's own must not follow (RFC 3261 §16.7 step 5)."""
    invite: SipMessage | None = None
    """While parked: the INVITE."""
    referred: bool = False
    """The card has sent REFER: the far end reports on it with NOTIFY."""
    local: bytes = b""
    """From/To value of the card's side, with its tag."""
    remote: bytes = b""
    target: bytes = b""
    """The far end's Contact URI."""
    routes: tuple[bytes, ...] = ()
    """Route set towards the far end, our own entries left out."""
    expires_at: float = 0.0
    """Once ended: when the record may go."""

    @property
    def key(self) -> str:
        """The Call-ID as the cards name it."""
        return self.call_id.decode("ascii")

    def is_retransmission(self, invite: SipMessage, branch: bytes) -> bool:
        """Whether `invite` is the very request that began this call."""
        from_tag = tag_of(invite.get(b"from") or b"")
        return invite.cseq == self.cseq and branch == self.branch and from_tag == self.from_tag

    def bereft_of(self, branch: bytes) -> bool:
        """Whether the card that sent the INVITE with this branch is gone."""
        return not self.inbound and self.card is None and branch == self.branch

    def learn_dialog(self, answer: SipMessage, routes: tuple[bytes, ...]) -> None:
        """What a 2xx to our INVITE makes of the dialog (RFC 3261 §12.1.2)."""
        self.remote, self.routes = answer.get(b"to") or b"", routes
        self.learn_target(answer)

    def learn_target(self, message: SipMessage) -> None:
        """Target refresh (RFC 3261 §12.2): remember where the far end wants to be reached."""
        contact = message.get(b"contact")
        if contact:
            self.target = address_uri(contact)


class CallRecords:
    """All records by Call-ID."""

    def __init__(self) -> None:
        self._records: dict[bytes, CallRecord] = {}
        self._ended: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._records)

    def get(self, call_id: bytes) -> CallRecord | None:
        """The record of a Call-ID."""
        return self._records.get(call_id)

    def add(self, record: CallRecord) -> None:
        """A new call; replaces an ended one of the same Call-ID."""
        self._records[record.call_id] = record

    def remove(self, record: CallRecord) -> None:
        """Forget at once."""
        if self._records.get(record.call_id) is record:
            del self._records[record.call_id]

    def end(self, record: CallRecord, now: float) -> None:
        """The call is over; the record lingers."""
        if record.phase is CallPhase.ENDED:
            return
        record.phase, record.expires_at, record.invite = CallPhase.ENDED, now + LINGER_S, None
        heapq.heappush(self._ended, (record.expires_at, record.call_id))

    def connections(self) -> set[int]:
        """TCP connections that calls need."""
        return {
            record.flow.connection
            for record in self._records.values()
            if record.phase is not CallPhase.ENDED and record.flow.connection
        }

    def next_deadline(self) -> float | None:
        """When the next record goes."""
        return self._ended[0][0] if self._ended else None

    def handle_timeout(self, now: float) -> None:
        """Forget what has lingered long enough, or is too much."""
        while self._ended and (self._ended[0][0] <= now or len(self._ended) > MAX_ENDED):
            _, call_id = heapq.heappop(self._ended)
            record = self._records.get(call_id)
            if record is None or record.phase is not CallPhase.ENDED:
                continue
            if record.expires_at <= now or len(self._ended) > MAX_ENDED:
                del self._records[call_id]
