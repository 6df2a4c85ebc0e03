"""The directory of a running gateway: one gateway at a time, private to its user."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.errors import LocalError

PID_FILE: Final = "gateway.pid"
LONGEST_SOCKET_NAME: Final = "card9999.sock"
MAX_SOCKET_PATH_BYTES: Final = 107
"""sun_path holds 108 bytes with the closing NUL (unix(7))."""


class CannotStartError(LocalError):
    """The gateway can't begin to serve; the message is one line for the operator."""


@contextmanager
def held_run_dir(run_dir: Path) -> Iterator[Path]:
    """Create and lock it for as long as the context lasts. Raises `CannotStartError`."""
    if len(os.fsencode(run_dir / LONGEST_SOCKET_NAME)) > MAX_SOCKET_PATH_BYTES:
        raise CannotStartError(f"node.run_dir is too long for unix sockets: {run_dir}")
    try:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        run_dir.chmod(0o700)
        fd = os.open(run_dir / PID_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise CannotStartError(f"node.run_dir {run_dir}: {exc.strerror}") from exc
    try:
        _lock(fd, run_dir)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        yield run_dir
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _lock(fd: int, run_dir: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise CannotStartError(f"another gateway (pid {owner}) runs in {run_dir}") from exc
