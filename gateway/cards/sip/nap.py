"""Waiting for signalling only, while the media clock alone decides when audio is looked at.

With steady calls nothing that arrives between two ticks can change what is heard before the next one:
received RTP waits in its socket as well as in the jitter buffer, and audio to play is needed at the tick.
So a full card wakes up once a tick instead of six times. Arrival times of RTP, which only the jitter figure
uses, are then known to a tick.
"""

import os
import select
import socket

from gateway.cards.sip.contract import PjsipError


class Nap:
    """A sleep that a SIP message ends."""

    def __init__(self, sip_port: int) -> None:
        """`sip_port`: of PJSIP's own UDP socket. Raises `PjsipError` if this process has none there."""
        self._epoll = select.epoll()
        self._epoll.register(_udp_socket_at(sip_port), select.EPOLLIN)

    def take(self, seconds: float) -> None:
        """Return after `seconds`, rounded up to a millisecond, or when a SIP message waits."""
        if seconds > 0:
            self._epoll.poll(seconds)


def _udp_socket_at(port: int) -> int:
    """Descriptor of this process's UDP socket at a port; PJSIP does not tell it."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            copy = socket.socket(fileno=os.dup(int(name)))
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
        with copy:
            if (copy.family, copy.type) == (socket.AF_INET, socket.SOCK_DGRAM) and (
                copy.getsockname()[1] == port
            ):
                return int(name)
    raise PjsipError(f"no SIP socket at port {port}")
