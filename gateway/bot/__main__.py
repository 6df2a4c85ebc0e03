"""`python -m gateway.bot`: the embedded voice backend as a process of its own."""

import argparse
import os
import sys
from pathlib import Path

# Small matrices on many calls: a thread pool in BLAS only costs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvloop

from gateway.bot.cast import Cast, cast_for, load_part
from gateway.bot.dialogue_file import DEFAULT_DIALOGUE
from gateway.bot.process import Listen, run
from gateway.config.models import GatewayConfig
from gateway.errors import LocalError
from gateway.observe.log import configure_logging, get_logger

_SPARE_SESSIONS = 16
"""Sessions beyond `max_calls`: those of calls that are ending or reconnecting."""
_STANDALONE_SESSIONS = 200


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.bot",
        description="A voice bot that speaks the OpenAI Realtime protocol at /v1/realtime. It reads the "
        "gateway's configuration as one JSON line from standard input, unless --no-config is given.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, metavar="PATH", help="serve on a unix socket")
    where.add_argument("--listen", metavar="HOST:PORT", help="serve on TCP; port 0 takes a free one")
    parser.add_argument("--no-config", action="store_true", help="play one dialogue, whatever the model name")
    parser.add_argument(
        "--dialogue", type=Path, default=DEFAULT_DIALOGUE, metavar="FILE", help="dialogue for --no-config"
    )
    return parser.parse_args()


def _listen(arguments: argparse.Namespace) -> Listen:
    if arguments.socket is not None:
        return Listen(path=arguments.socket)
    host, colon, port = arguments.listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise LocalError(f"expected HOST:PORT, not {arguments.listen!r}")
    return Listen(host=host.strip("[]"), port=int(port))


def main() -> int:
    """Exit status: 0 after being told to leave, 1 when it cannot start, 2 for a faulty dialogue."""
    arguments = _arguments()
    config = None
    if not arguments.no_config:
        config = GatewayConfig.model_validate_json(sys.stdin.buffer.readline())
    settings = config.log if config is not None else GatewayConfig().log
    configure_logging("bot", level=settings.level, format=settings.format, personal=settings.personal)
    try:
        cast = cast_for(config) if config is not None else Cast({}, load_part(arguments.dialogue))
    except LocalError as exc:
        get_logger().error("dialogue is faulty", error=str(exc))
        return 2
    max_sessions = config.sip.max_calls + _SPARE_SESSIONS if config is not None else _STANDALONE_SESSIONS
    try:
        return uvloop.run(run(cast, _listen(arguments), max_sessions=max_sessions))
    except LocalError as exc:
        get_logger().error("bot cannot start", error=str(exc))
        return 1


if __name__ == "__main__":
    sys.exit(main())
