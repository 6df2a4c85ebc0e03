"""A child in the place of a WebRTC card: `python -m tests.integration.edge.stand_in_card --card N ...`.

Reports its status, and listens on its socket, until SIGTERM or the end of the lifeline. What it was
told (its share of peers, advertised addresses, whether it has the secret) goes into the call ids it reports.
"""

import argparse
import os
import selectors
import signal
import socket
import sys

from gateway.config.models import GatewayConfig
from gateway.core.ids import CardId
from gateway.wire.edge import STATUS_INTERVAL_S, CardStatus, pack_status


def main() -> int:
    """Be there."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--card", type=int, required=True)
    arguments.add_argument("--socket", required=True)
    arguments.add_argument("--status", required=True)
    given = arguments.parse_args()
    webrtc = GatewayConfig.model_validate_json(sys.stdin.buffer.readline()).webrtc
    assert webrtc is not None
    told = (
        str(webrtc.max_peers_per_card),
        *map(str, webrtc.advertise),
        str(len(bytes.fromhex(os.environ["GATEWAY_UFRAG_SECRET"]))),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as status,
        selectors.DefaultSelector() as selector,
    ):
        listener.bind(given.socket)
        listener.listen()
        selector.register(int(os.environ["GATEWAY_LIFELINE_FD"]), selectors.EVENT_READ)
        while True:
            report = CardStatus(CardId(given.card), os.getpid(), 0, told)
            status.sendto(pack_status(report), given.status)
            if selector.select(STATUS_INTERVAL_S):
                return 0


if __name__ == "__main__":
    sys.exit(main())
