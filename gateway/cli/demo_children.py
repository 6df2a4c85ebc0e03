"""The demo's child processes: a gateway and a softphone, both telling what happens as JSON lines."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway.errors import LocalError

_READY_WITHIN_S: Final = 60.0
_STOP_WITHIN_S: Final = 15.0
_LINE_LIMIT_BYTES: Final = 1 << 20

Entry = Mapping[str, Any]
"""One JSON line of a child."""


def _entry(line: bytes) -> Entry:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"event": "", "text": line.decode(errors="replace").strip()}


async def _spawn(
    *arguments: str, stdout: int, stderr: int, stdin: int = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    """Start a Python module on a leash, out of reach of the terminal's Ctrl-C."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway.cli.leash", *arguments),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        limit=_LINE_LIMIT_BYTES,
        env={**os.environ, "GATEWAY_LEASH_PARENT": str(os.getpid())},
    )


async def _ends(process: asyncio.subprocess.Process, number: signal.Signals) -> bool:
    """Whether a process ends in good time after a signal; True if it has ended already."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)  # send_signal would reap it behind asyncio's back
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await process.wait()
    return process.returncode is not None


class GatewayChild:
    """A running `gateway run` whose log goes to a file and passes through here."""

    def __init__(self, process: asyncio.subprocess.Process, log_file: Path) -> None:
        self._process = process
        self._log_file = log_file
        self._tail: deque[Entry] = deque(maxlen=50)
        self._ready = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def started(cls, config_file: Path, log_file: Path) -> AsyncIterator["GatewayChild"]:
        """A gateway that can take calls; it has ended when the block is left.

        Raises `LocalError` with the gateway's own words if it does not come up.
        """
        process = await _spawn(
            *("gateway", "run", "--config", str(config_file)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        child = cls(process, log_file)
        child._reader = asyncio.create_task(child._read(), name="read the gateway's log")
        try:
            await child._until_ready()
            yield child
        finally:
            await child._stop()

    async def ended(self) -> int:
        """The gateway's exit status, once it has ended by itself."""
        return await self._process.wait()

    def complaints(self) -> list[str]:
        """What the gateway had to say about its last troubles, one line each."""
        lines = []
        for entry in self._tail:
            if entry["event"] == "" and entry["text"]:
                lines.append(str(entry["text"]))
            elif entry.get("level") in ("warning", "error", "critical"):
                lines.append(f"{entry['event']}: {entry.get('error', '')}".rstrip(": "))
        return lines

    async def _read(self) -> None:
        assert self._process.stderr is not None
        with self._log_file.open("wb") as out:
            async for line in self._process.stderr:
                out.write(line)
                out.flush()
                entry = _entry(line)
                self._tail.append(entry)
                if entry["event"] == "ready":
                    self._ready.set()

    async def _until_ready(self) -> None:
        assert self._reader is not None
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait(
                {ready, self._reader}, timeout=_READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
        if not self._ready.is_set():
            said = self.complaints() or [f"it was not ready within {_READY_WITHIN_S:g} s"]
            raise LocalError(f"the gateway did not start: {said[-1]}")

    async def _stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if await _ends(self._process, number):
                break
        if self._reader is not None:
            await self._reader


@asynccontextmanager
async def softphone(uri: str, script: str, *, caller: str) -> AsyncIterator[AsyncIterator[Entry]]:
    """A softphone that follows a script; gives what it tells until it ends."""
    process = await _spawn(
        *("gateway.softphone", uri, "--from", caller),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(script.encode())
    process.stdin.close()
    errors = asyncio.create_task(process.stderr.read(), name="read the phone's errors")
    stdout = process.stdout

    async def entries() -> AsyncIterator[Entry]:
        async for line in stdout:
            yield _entry(line)
        for line in (await errors).splitlines():
            yield _entry(line)

    try:
        yield entries()
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if await _ends(process, number):
                break
        await errors
