"""The bot's process: sockets, signals, and leaving when its parent is gone."""

import asyncio
import os
import signal
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from gateway.bot.cast import Cast
from gateway.bot.server import BotServer
from gateway.errors import LocalError
from gateway.media.speech import Synthesiser
from gateway.observe.log import get_logger

LIFELINE_VARIABLE: Final = "GATEWAY_LIFELINE_FD"
"""Number of an inherited pipe whose end of file means that the parent is gone."""

_BACKLOG: Final = 128

log = get_logger()


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to serve: a unix socket or a TCP address."""

    path: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0


def open_socket(where: Listen) -> socket.socket:
    """A listening socket; a unix socket is replaced if one is left over, and only its owner may connect.

    Raises `LocalError` with one line for the operator.
    """
    try:
        if where.path is None:
            family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
            return socket.create_server((where.host, where.port), family=family, backlog=_BACKLOG)
        return _unix_socket(where.path)
    except OSError as exc:
        place = str(where.path) if where.path else f"{where.host}:{where.port}"
        raise LocalError(f"the bot cannot listen on {place}: {exc.strerror or exc}") from exc


def _unix_socket(path: Path) -> socket.socket:
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise LocalError(f"the bot cannot listen on {path}: it is there and no socket")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener


async def run(cast: Cast, where: Listen, *, max_sessions: int) -> int:
    """Serve until told to leave; the exit status. Raises `LocalError` when it cannot start."""
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, leave.set)
    # Ctrl-C is for the parent, which tells us when to leave.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    lifeline = os.environ.get(LIFELINE_VARIABLE, "")
    if lifeline.isdecimal():
        loop.add_reader(int(lifeline), leave.set)
    synthesiser = Synthesiser()
    server = BotServer(cast, synthesiser, max_sessions=max_sessions)
    await server.prepare()
    listener = open_socket(where)
    runner = web.AppRunner(server.app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        port = listener.getsockname()[1] if where.path is None else None
        log.info("bot listens", agents=sorted(cast.parts), speech=synthesiser.describe(), port=port)
        async with asyncio.TaskGroup() as tasks:
            rehearsal = tasks.create_task(server.rehearse())
            await leave.wait()
            rehearsal.cancel()
        await server.close()
    finally:
        await runner.cleanup()
        if where.path is not None:
            where.path.unlink(missing_ok=True)
    log.info("bot leaves")
    return 0
