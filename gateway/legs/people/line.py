"""A person's open page, and their line while they are in a call."""

from collections.abc import Callable
from typing import Final

from gateway.core.ids import CallId
from gateway.legs.contract import Leg
from gateway.legs.people import messages as page

_UNHEARD: Final = 8
"""Requests kept until the call listens."""

OnLineRequest = Callable[[page.LineRequest], None]


class Tab:
    """One open page of a person. Its owner tells `People` when it opens, speaks and closes."""

    def __init__(self, tab_id: str, user: str, send: Callable[[page.ToPage], None]) -> None:
        """`send` must not block."""
        self.id = tab_id
        self.user = user
        self.tell = send
        self.ready = False
        """Whether calls may ring here."""
        self.resumes = ""
        """The ring that it had answered before its connection was lost."""


class PersonLine:
    """A person in a call: what they ask of it, and what it tells them.

    Made when a ring is answered; over with `left`, which whoever took the leg has to call, or the
    person stays busy. It outlives a page that loses its connection and comes back.
    """

    def __init__(self, ring_id: str, leg: Leg, tab: Tab, on_left: Callable[["PersonLine"], None]) -> None:
        self.ring_id = ring_id
        self.user = tab.user
        self.leg = leg
        self._tab: Tab | None = tab
        self._on_left = on_left
        self._ask: OnLineRequest | None = None
        self._unheard: list[page.LineRequest] = []
        self._call_id = ""
        self._held = False
        self._over = False

    @property
    def over(self) -> bool:
        """Whether `left` was said."""
        return self._over

    # ---- for the call -------------------------------------------------------------------------

    def attach(self, ask: OnLineRequest) -> None:
        """Who carries requests out; those that came before are asked at once."""
        self._ask = ask
        unheard, self._unheard = self._unheard, []
        for request in unheard:
            ask(request)

    def joined(self, call_id: CallId) -> None:
        """The person is connected with the others."""
        self._call_id = call_id
        self._tell(page.Joined(ring_id=self.ring_id, call_id=call_id, held=self._held))

    def held(self, held: bool) -> None:
        """The others are on hold now, or not any more."""
        self._held = held
        self._tell(page.Held(held=held))

    def said(self, role: page.Role, text: str) -> None:
        """Somebody said this."""
        self._tell(page.Said(role=role, text=text))

    def left(self, reason: str) -> None:
        """The person is out of the call. `reason`: `the caller has gone`, `handed back` or the like.

        Idempotent.
        """
        if self._over:
            return
        self._over = True
        self._tell(page.Left(ring_id=self.ring_id, reason=reason))
        self._on_left(self)

    # ---- for the page -------------------------------------------------------------------------

    def ask(self, request: page.LineRequest) -> None:
        """The person wants something of the call."""
        if self._over:
            return
        if self._ask is not None:
            self._ask(request)
        elif len(self._unheard) < _UNHEARD:
            self._unheard.append(request)

    def belongs_to(self, tab: Tab) -> bool:
        """Whether this page is the one the person speaks at."""
        return self._tab is tab

    def take(self, tab: Tab) -> None:
        """The page is back with a new connection."""
        self._tab = tab
        if self._call_id:
            self._tell(page.Joined(ring_id=self.ring_id, call_id=self._call_id, held=self._held))

    def lose(self, tab: Tab) -> None:
        """A page's connection is gone; the audio may well go on."""
        if self._tab is tab:
            self._tab = None

    def _tell(self, message: page.ToPage) -> None:
        if self._tab is not None:
            self._tab.tell(message)
