"""Scheduling of the processes that audio passes through."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from gateway.observe.log import get_logger

CARD_PRIORITY: Final = 10
"""A card's loop is a media clock: nothing delays a tick."""
PATH_PRIORITY: Final = 5
"""Every frame passes through the core, every SIP message through the edge; they give way to clocks only."""


def be_realtime(priority: int = CARD_PRIORITY, *, say: Literal["debug", "warning"] = "debug") -> None:
    """Ask for real-time scheduling of this thread alone, not of what it starts; go on without.

    say: how loudly that is told; a gateway tells it once, not for each of its processes.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as exc:
        log = get_logger()
        (log.warning if say == "warning" else log.debug)(
            "no real-time priority: audio may stutter on a busy machine",
            error=exc.strerror,
            allow_it_with=f"ulimit -r {CARD_PRIORITY}, or LimitRTPRIO={CARD_PRIORITY} in the systemd unit",
        )


@contextmanager
def realtime(priority: int = CARD_PRIORITY) -> Iterator[None]:
    """The same for a while: what this thread does afterwards is no hurry."""
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    be_realtime(priority)
    try:
        yield
    finally:
        # Only root may take the flag back (sched(7)); it does nothing for a thread of ordinary priority.
        os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, param)
