"""The people of the configuration: which of them have a page open, and ringing them there.

All pages of a person ring, and the first answer wins. Who answers makes an ordinary offer of WebRTC;
it goes to a card with an address that is drawn for this one answer (`ring:…`), so that the leg that
comes of it is told from a new call. A person takes one call at a time.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Final, Literal

from gateway.errors import LocalError, RemoteError
from gateway.legs.contract import Leg
from gateway.legs.people import messages as page
from gateway.legs.people.line import PersonLine, Tab
from gateway.legs.people.ring import CallLater, Ring, RingFailure, RingInfo
from gateway.observe.log import get_logger
from gateway.wire import card as wire

MAX_TABS: Final = 8
"""Open pages of one person."""

_PREFIX: Final = "ring:"
_NOT_RINGING: Final = (487, "Request Terminated")

Presence = Literal["offline", "away", "ready", "busy"]
"""offline: no page open · busy: it rings, or they are in a call."""

log = get_logger()


class CannotAnswerError(RemoteError):
    """This page cannot answer this ring; the message is for the person."""


class TooManyTabsError(RemoteError):
    """The person has more pages open than anyone needs."""


class _Person:
    """One person's state."""

    def __init__(self) -> None:
        self.tabs: dict[str, Tab] = {}
        self.ring: Ring | None = None
        self.line: PersonLine | None = None

    def hindrance(self) -> RingFailure | None:
        """Why it cannot ring."""
        if not self.tabs:
            return "not_signed_in"
        if self.ring is not None or self.line is not None:
            return "busy"
        return None if any(tab.ready for tab in self.tabs.values()) else "away"


class People:
    """Who is there. All methods are called on the core's event loop."""

    def __init__(self, users: Collection[str], call_later: CallLater) -> None:
        self._people = {user: _Person() for user in users}
        self._call_later = call_later
        self._answers: dict[str, Ring] = {}
        """Rings by the address of the answer that is on its way."""

    # ---- for who rings ------------------------------------------------------------------------

    def presence(self, user: str) -> Presence:
        """Whether a person would take a call. Raises `LocalError` for an unknown one."""
        hindrance = self._person(user).hindrance()
        found: dict[RingFailure | None, Presence] = {
            None: "ready",
            "not_signed_in": "offline",
            "away": "away",
        }
        return found.get(hindrance, "busy")

    def ring(self, user: str, info: RingInfo) -> Ring:
        """Ring a person. Raises `LocalError` for an unknown one; a ring that cannot be has failed already."""
        person = self._person(user)
        hindrance = person.hindrance()
        ring = Ring(f"rg_{token_hex(10)}", user, info, self._ring_over, self._call_later)
        if hindrance is not None:
            ring.fail(hindrance)
            return ring
        person.ring = ring
        for tab in person.tabs.values():
            if tab.ready:
                tab.tell(_invitation(ring))
        log.info("a person is rung", ring=ring.id, personal={"user": user, "from": info.from_party})
        return ring

    def claims(self, leg: Leg, incoming: wire.Incoming) -> bool:
        """Whether a new leg answers a ring: then it goes to whoever rings, and must not become a call.

        One whose ring is over is refused.
        """
        if not answers_ring(leg, incoming):
            return False
        ring = self._answers.get(incoming.request_uri)
        tab = ring.answering if ring is not None else None
        if ring is None or tab is None:
            leg.reject(*_NOT_RINGING)
            return True
        line = PersonLine(ring.id, leg, tab, self._line_over)
        self._people[ring.user].line = line
        ring.complete(line)
        return True

    def resume(self, user: str, ring_id: str, leg: Leg) -> PersonLine | None:
        """The line of a person who was in a call when the core was restarted; None for an unknown person.

        They are busy again. Their page takes the line over when it signs in and names the ring, or has
        done so already.
        """
        person = self._people.get(user)
        if person is None:
            return None
        gone = Tab("", user, lambda _message: None)
        person.line = PersonLine(ring_id, leg, gone, self._line_over)
        person.line.lose(gone)
        for tab in person.tabs.values():
            if tab.resumes == ring_id:
                person.line.take(tab)
        return person.line

    # ---- for the pages ------------------------------------------------------------------------

    def open(self, user: str, tab: Tab, resume: str = "") -> None:
        """A page is there; it counts as away until it says `ready`. `resume`: the ring it had answered.

        Raises `TooManyTabsError`.
        """
        person = self._person(user)
        if len(person.tabs) >= MAX_TABS:
            raise TooManyTabsError(f"at most {MAX_TABS} pages of a person may be open")
        person.tabs[tab.id] = tab
        tab.resumes = resume
        if resume and person.line is not None and person.line.ring_id == resume:
            person.line.take(tab)

    def close(self, tab: Tab) -> None:
        """A page is gone."""
        person = self._person(tab.user)
        if person.tabs.pop(tab.id, None) is None:
            return
        tab.ready = False
        if person.line is not None:
            person.line.lose(tab)
        self._fewer_ready(person, "gone")

    def handle(self, tab: Tab, request: page.PageRequest) -> None:
        """A page says something."""
        person = self._person(tab.user)
        match request.type:
            case "ready":
                if not tab.ready:
                    tab.ready = True
                    if person.ring is not None and person.ring.answering is None:
                        tab.tell(_invitation(person.ring))
            case "away":
                if tab.ready:
                    tab.ready = False
                    if person.ring is not None:
                        tab.tell(page.RingEnded(ring_id=person.ring.id, reason="away"))
                    self._fewer_ready(person, "away")
            case "decline":
                if person.ring is not None and person.ring.id == request.ring_id:
                    person.ring.fail("declined")
            case wish:
                line = person.line
                if line is None or not line.belongs_to(tab):
                    tab.tell(page.Refused(message="you are not in a call here"))
                else:
                    line.ask(wish)

    @contextmanager
    def answering(self, user: str, ring_id: str, tab_id: str) -> Iterator[str]:
        """A page answers: the address for its offer. The ring goes on if no leg comes of it.

        Raises `CannotAnswerError`.
        """
        person = self._person(user)
        ring, tab = person.ring, person.tabs.get(tab_id)
        if ring is None or ring.id != ring_id:
            raise CannotAnswerError("this call does not ring any more")
        if tab is None:
            raise CannotAnswerError("the page is not connected")
        if not ring.begin(tab):
            raise CannotAnswerError("the call is being answered elsewhere")
        address = _PREFIX + token_hex(16)
        self._answers[address] = ring
        try:
            yield address
        finally:
            del self._answers[address]
            if not ring.over:
                ring.retreat()
                self._fewer_ready(person, "gone")

    def line(self, user: str, ring_id: str) -> PersonLine | None:
        """The line of a person who answered that ring and is still in the call."""
        line = self._person(user).line
        return line if line is not None and line.ring_id == ring_id else None

    # ---- inside -------------------------------------------------------------------------------

    def _person(self, user: str) -> _Person:
        person = self._people.get(user)
        if person is None:
            raise LocalError("nobody of this name is declared in the section users")
        return person

    def _fewer_ready(self, person: _Person, reason: RingFailure) -> None:
        """A ring that nobody can see any more has failed, unless its answer is on its way."""
        ring = person.ring
        if ring is not None and ring.answering is None and not any(tab.ready for tab in person.tabs.values()):
            ring.fail(reason)

    def _ring_over(self, ring: Ring, word: str) -> None:
        person = self._people[ring.user]
        if person.ring is not ring:
            return
        person.ring = None
        log.info("a person's ring is over", ring=ring.id, reason=word)
        for tab in person.tabs.values():
            if tab.ready and not (person.line is not None and person.line.belongs_to(tab)):
                tab.tell(page.RingEnded(ring_id=ring.id, reason=word))

    def _line_over(self, line: PersonLine) -> None:
        person = self._people[line.user]
        if person.line is line:
            person.line = None


def answers_ring(leg: Leg, incoming: wire.Incoming) -> bool:
    """Whether a leg was made by a page's answer to a ring, of this core or of an earlier one."""
    return leg.kind == "webrtc" and incoming.request_uri.startswith(_PREFIX)


def _invitation(ring: Ring) -> page.Ring:
    info = ring.info
    return page.Ring(
        ring_id=ring.id,
        from_party=info.from_party,
        to=info.to,
        agent=info.agent,
        transcript=info.transcript,
    )
