"""A bad network between the phones and the target: `gateway impair` as a process of its own.

In the phones' process it would share their interpreter, and its own lateness would count as the network's.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import LocalError

_START_S: Final = 15.0
_STOP_S: Final = 5.0
_LISTENING = re.compile(rb"listening on ([0-9.]+):(\d+)")


@dataclass(frozen=True, slots=True)
class Network:
    """What stands in between."""

    address: tuple[str, int]
    """Phones call this instead of the target."""
    drain: Callable[[], None]
    """To be called now and then: it tells something every second, and somebody has to take it."""


@contextlib.contextmanager
def bad_network(target: tuple[str, int], host: str, options: Sequence[str]) -> Iterator[Network]:
    """Impair the calls' audio on its way to `target` and back. Raises `LocalError` if it does not start.

    options: of `gateway impair`, such as `--loss 5%`. host: address to listen on.
    """
    command = [sys.executable, "-m", "gateway", "impair", "--sip", *options]
    command += ["--to", f"{target[0]}:{target[1]}", "--listen", f"{host}:0"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        readable, _, _ = select.select([process.stdout], [], [], _START_S)
        match = _LISTENING.match(process.stdout.readline() if readable else b"")
        if match is None:
            process.terminate()
            said = process.stderr.read().decode(errors="replace").strip()[-300:]
            raise LocalError(f"the bad network did not start: {said or 'it says nothing'}")
        fd = process.stdout.fileno()
        os.set_blocking(fd, False)
        yield Network((match[1].decode(), int(match[2])), lambda: _drain(fd))
    finally:
        _stop(process)
        process.stdout.close()
        process.stderr.close()


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 65536):
            pass


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
