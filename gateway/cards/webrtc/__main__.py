"""`python -m gateway.cards.webrtc`: a WebRTC line card."""

import argparse
import gc
import os
import sys
from pathlib import Path

# Small matrices on many calls: a thread pool in BLAS only costs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import structlog
import uvloop

from gateway.cards.webrtc.process import run
from gateway.config.models import GatewayConfig
from gateway.config.webrtc import WebrtcConfig
from gateway.core.ids import CardId
from gateway.errors import LocalError
from gateway.observe.log import configure_logging, get_logger


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.cards.webrtc",
        description="A WebRTC line card. It reads the gateway's configuration as one JSON line from "
        "standard input and serves the core on a unix socket.",
    )
    parser.add_argument("--card", type=int, required=True, metavar="N", help="number of the card")
    parser.add_argument("--socket", type=Path, required=True, metavar="PATH", help="where the core connects")
    parser.add_argument("--status", type=Path, required=True, metavar="PATH", help="where signs of life go")
    return parser.parse_args()


def main() -> int:
    """Exit status: 0 after retiring, 1 when it cannot start."""
    arguments = _arguments()
    config = GatewayConfig.model_validate_json(sys.stdin.buffer.readline())
    logs = config.log
    configure_logging("webrtc-card", level=logs.level, format=logs.format, personal=logs.personal)
    structlog.contextvars.bind_contextvars(card=arguments.card)
    # What is there now stays: no need to walk over it in every collection.
    gc.collect()
    gc.freeze()
    try:
        return uvloop.run(
            run(
                CardId(arguments.card),
                arguments.socket,
                arguments.status,
                config.webrtc or WebrtcConfig(),
            )
        )
    except (LocalError, OSError) as exc:
        get_logger().error("webrtc card cannot start", error=str(exc))
        return 1


if __name__ == "__main__":
    sys.exit(main())
