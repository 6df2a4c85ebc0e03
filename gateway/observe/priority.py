"""Scheduling of the processes that audio passes through."""

import os
from typing import Final

from gateway.observe.log import get_logger

CARD_PRIORITY: Final = 10
"""A card's loop is a media clock: nothing delays a tick."""
PATH_PRIORITY: Final = 5
"""Every frame passes through the core, every SIP message through the edge; they give way to clocks only."""


def be_realtime(priority: int = CARD_PRIORITY) -> None:
    """Ask for real-time scheduling of this thread alone, not of what it starts; go on without."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as exc:
        get_logger().debug("no real-time priority", error=exc.strerror)
