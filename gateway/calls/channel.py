"""The data channel of one WebRTC call: tells the peer what happens, and lets it take part.

What is said before the channel opens waits for it (bounded: a peer may never open one). Messages of
the peer never reach the call's inbox, so that a flood of them cannot end the call.
"""

from collections import deque
from collections.abc import Callable
from secrets import token_hex
from typing import Final, Literal

from gateway.backends import contract as ai
from gateway.calls.oai_events import OaiEvents
from gateway.calls.oai_requests import PeerStats, RefusedEventError, Silence, Wish, parse_request, read_stats
from gateway.core.bucket import TokenBucket
from gateway.observe.log import get_logger

_WAITING: Final = 64
"""Events kept for a channel that is not open yet; the oldest are dropped."""

_PER_S: Final = 20.0
_BURST: Final = 40
"""Messages taken from the peer; more are ignored, and the first of them is answered with an error."""

PlayingNews = Literal["started", "stopped", "cleared"]

log = get_logger()


class EventChannel:
    """One `oai-events` channel."""

    def __init__(
        self,
        agent: str,
        send: Callable[[str], None],
        act: Callable[[Wish], None],
        measured: Callable[[PeerStats], None],
        clock: Callable[[], float],
        *,
        opened: bool,
    ) -> None:
        """`act` carries a wish out, or raises `RefusedEventError`. `opened`: taken over in the middle.

        `measured` gets what the peer's browser measures.
        """
        self._events = OaiEvents(token_hex(8), agent, clock())
        self._send = send
        self._act = act
        self._measured = measured
        self._clock = clock
        self._opened = opened
        self._waiting: deque[str] = deque(maxlen=_WAITING)
        self._bucket = TokenBucket(per_s=_PER_S, burst=_BURST)
        self._flooded = False
        self._audible: set[str] = set()
        """Items of the agent that the peer hears just now."""

    # ---- from the peer --------------------------------------------------------------------------

    def on_opened(self) -> None:
        """The peer can be talked to."""
        if self._opened:
            return
        self._opened = True
        waiting, self._waiting = list(self._waiting), deque()
        for text in [*self._events.opened(), *waiting]:
            self._send(text)

    def on_text(self, text: str) -> None:
        """The peer wants something."""
        if not self._bucket.take(self._clock()):
            if not self._flooded:
                self._flooded = True
                limit = f"at most {_PER_S:g} events a second are taken; this one was ignored"
                self._emit(self._events.error("rate_limit_exceeded", limit))
            return
        self._flooded = False
        event_id: str | None = None
        try:
            stats = read_stats(text)
            if stats is not None:
                self._measured(stats)
                return
            event = parse_request(text, f"item_{token_hex(10)}")
            event_id, wish = event.event_id, event.wish
            if isinstance(wish, Silence) and wish.cancel and not (self._events.answering or self._audible):
                raise RefusedEventError("response_cancel_not_active", "no response is being made")
            self._act(wish)
        except RefusedEventError as exc:
            log.debug("an event of a peer was refused", code=exc.code)
            about = exc.event_id or event_id
            self._emit(self._events.error(exc.code, str(exc), param=exc.param, event_id=about))
            return
        match wish:
            case ai.UserText():
                self._emit(self._events.written(wish.item_id, wish.text))
            case ai.Instructions():
                self._emit(self._events.instructed(wish.text))
            case ai.ForgetInput():
                self._emit(self._events.input_forgotten())

    # ---- to the peer ----------------------------------------------------------------------------

    def on_backend_event(self, event: ai.BackendEvent) -> None:
        """The service reports something."""
        self._emit(self._events.reported(event, self._clock()))

    def on_playing(self, item_id: str, what: PlayingNews) -> None:
        """The agent's audio begins, ends or is cut off at the peer."""
        if what == "started":
            self._audible.add(item_id)
        else:
            self._audible.discard(item_id)
        self._emit(self._events.playing(item_id, what))

    def on_truncated(self, item_id: str, heard_ms: int) -> None:
        """The peer heard only this much of an item."""
        self._emit(self._events.truncated(item_id, heard_ms))

    def _emit(self, texts: list[str]) -> None:
        if self._opened:
            for text in texts:
                self._send(text)
        else:
            self._waiting.extend(texts)
