"""The card's loop, which is the media clock: one tick every 20 ms while there are legs, else sleep.

PJSIP waits for SIP, RTP, its own timers and, through the waker, for the core's socket; so an INVITE or
a command of the core is served at once, not at the next tick. While all calls are steady only SIP is
waited for: everything else may wait for the tick.
"""

import time
from collections.abc import Callable

from gateway.cards.sip.card import SipCard
from gateway.cards.sip.nap import Nap
from gateway.cards.sip.pjsip import Endpoint
from gateway.core.audio import PTIME_MS

_TICK_S = PTIME_MS / 1000
_CATCH_UP_S = 0.2
"""A delay longer than this is not caught up: the far end's jitter buffer has run dry anyway."""


def run(card: SipCard, endpoint: Endpoint, on_other_fd: Callable[[int], None]) -> None:
    """Serve until the card has retired; `on_other_fd` is told of ready descriptors that aren't the link's."""
    next_tick_s = 0.0
    nap = Nap(endpoint.sip_port)
    while not card.finished:
        if card.ticking:
            now = time.monotonic()
            if now - next_tick_s > _CATCH_UP_S:
                next_tick_s = now
            if now >= next_tick_s:
                endpoint.tick()
                card.after_tick()
                next_tick_s += _TICK_S
            wait_until_s = next_tick_s
        else:
            wait_until_s = card.next_duty_s()
        card.serve()
        card.link.flush()
        if card.steady:
            nap.take(wait_until_s - time.monotonic())
            endpoint.handle_pending()
            ready = True
        else:
            wait_ms = max(0, int((wait_until_s - time.monotonic()) * 1000 + 0.999))
            ready = endpoint.handle_events(wait_ms)
        if ready:
            for fd, _ in endpoint.ready():
                if not card.link.on_ready(fd):
                    on_other_fd(fd)
