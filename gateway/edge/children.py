"""A child process that is kept running: the core, the template, the bot."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from typing import Final

from gateway.edge.restart import RestartPolicy
from gateway.observe.log import get_logger

LIFELINE_VARIABLE: Final = "GATEWAY_LIFELINE_FD"
_LONGEST_LINE_BYTES: Final = 1 << 20

log = get_logger()


class Lifeline:
    """A pipe whose writing end only this process has: its end of file tells all others that we are gone."""

    def __init__(self) -> None:
        self.read_fd, self._write_fd = os.pipe()

    def cut(self) -> None:
        """Make everybody who still watches it leave."""
        os.close(self._write_fd)
        os.close(self.read_fd)


def _nothing(_: object) -> None:
    """Ignore."""


class Child:
    """One process and its successors."""

    def __init__(
        self,
        name: str,
        arguments: tuple[str, ...],
        config_line: bytes,
        lifeline: Lifeline,
        *,
        on_line: Callable[[bytes], None] | None = None,
        on_start: Callable[[int], None] = _nothing,
        on_death: Callable[[str], None] = _nothing,
        environment: Mapping[str, str] | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        """arguments: after `python -m`. on_line: takes its standard output by lines, else it is dropped.

        on_start gets the pid, on_death how it ended. environment: beyond ours. descriptors: it inherits
        them under the same numbers.
        """
        self.name = name
        self._arguments = arguments
        self._config_line = config_line
        self._on_line = on_line
        self._on_start = on_start
        self._on_death = on_death
        self._environment = {**(environment or {}), LIFELINE_VARIABLE: str(lifeline.read_fd)}
        self._descriptors = (lifeline.read_fd, *descriptors)
        self._policy = RestartPolicy()
        self._process: Process | None = None
        self._ending = asyncio.Event()

    @property
    def early_deaths(self) -> int:
        """Deaths in a row soon after the start."""
        return self._policy.early_deaths

    def write(self, data: bytes) -> None:
        """To its standard input; lost when there is no process."""
        if self._process is None or self._process.stdin is None or self._process.stdin.is_closing():
            return
        self._process.stdin.write(data)

    def no_more(self) -> None:
        """Don't start it again."""
        self._ending.set()

    async def run(self) -> None:
        """Keep it running until `no_more`."""
        while not self._ending.is_set():
            began = time.monotonic()
            status = await self._run_once()
            ran_s = time.monotonic() - began
            if self._ending.is_set():
                log.debug("process ended", name=self.name, status=status)
                return
            delay_s = self._policy.delay_after(ran_s)
            log.error("process died", name=self.name, status=status, ran_s=round(ran_s, 3), next_s=delay_s)
            self._on_death(status)
            await self._pause(delay_s)

    def kill(self) -> None:
        """End a process that is stuck; a new one is started."""
        if self._process is not None and self._process.returncode is None:
            self._signal(self._process, signal.SIGKILL)

    def hang_up(self) -> None:
        """Send SIGHUP: it shall read its files again."""
        if self._process is not None and self._process.returncode is None:
            self._signal(self._process, signal.SIGHUP)

    async def stop(self, patience_s: float) -> None:
        """End it: SIGTERM, then SIGKILL when its time is over. `run` returns."""
        self._ending.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        self._signal(process, signal.SIGTERM)
        if not await self.ended_within(patience_s):
            log.warning("process had to be killed", name=self.name)
            self._signal(process, signal.SIGKILL)
            await process.wait()

    async def ended_within(self, patience_s: float) -> bool:
        """Wait for its end."""
        if self._process is None:
            return True
        try:
            async with asyncio.timeout(patience_s):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    async def _run_once(self) -> str:
        try:
            process = await self._spawn()
        except OSError as exc:
            return f"not started: {exc.strerror}"
        self._process = process
        if self._ending.is_set():
            self._signal(process, signal.SIGTERM)
        self.write(self._config_line)
        self._on_start(process.pid)
        try:
            if self._on_line is not None and process.stdout is not None:
                await self._read_lines(process.stdout, self._on_line)
            code = await process.wait()
        finally:
            if process.stdin is not None:
                process.stdin.close()
        return f"signal {-code}" if code < 0 else f"exit {code}"

    async def _spawn(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE if self._on_line is not None else DEVNULL,
            pass_fds=self._descriptors,
            start_new_session=True,  # Ctrl-C on the terminal is for us alone
            limit=_LONGEST_LINE_BYTES,
            env={**os.environ, **self._environment},
        )

    async def _read_lines(self, stdout: asyncio.StreamReader, on_line: Callable[[bytes], None]) -> None:
        while line := await stdout.readline():
            on_line(line)

    async def _pause(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._ending.wait()
        except TimeoutError:
            return

    @staticmethod
    def _signal(process: Process, number: signal.Signals) -> None:
        try:
            process.send_signal(number)
        except ProcessLookupError:
            log.debug("process was gone already")
