"""Calls to a gateway whose AI services fail while the callers talk: what each caller hears.

All phones speak their turns at the same moments, so that at the fault every caller waits for an answer. Each
fault has a service of its own (tone 1000 Hz) that fails, and all share the standby (tone 1500 Hz).
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from gateway.bench.callers import SLOTS, Aim, Callers
from gateway.bench.calls import wait_ready
from gateway.bench.clock import Loop
from gateway.bench.dialog import DialogState
from gateway.bench.own_gateway import HOST, loopback_config, started_gateway
from gateway.core.record import CallRecord, TimelineKind
from gateway.store.calls import DATABASE_NAME, CallStore
from tests.bench.talking_phone import TONES, Kind, TalkingPhone, first_s

Fault = Literal["killed", "frozen", "slowed", "corrupted"]

FAULTS: Final[tuple[Fault, ...]] = ("killed", "frozen", "slowed", "corrupted")
SLOW_BPS: Final = 32_000
_START_S: Final = 60.0
_CALLS_PER_S: Final = 10.0
_QUIET_S: Final = 0.6
"""After an answer, before the next turn."""
_LONGEST_S: Final = 15.0
"""Nobody waits longer for an answer."""
_AFTER_TURN_S: Final = 0.05
"""The fault comes so long after the caller's last word: before the service knows that it was the last."""


# ---- the services ----------------------------------------------------------------------------------


class Child:
    """A process that prints its port, takes commands and leaves when its standard input closes."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def say(self, line: str) -> None:
        """A command."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP …"""
        os.kill(self._process.pid, number)

    def close(self) -> None:
        """End it, whatever state it is in."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@contextlib.contextmanager
def children(*wanted: tuple[str, ...]) -> Iterator[list[Child]]:
    """Processes by module and arguments; ended here."""
    with contextlib.ExitStack() as stack:
        started = []
        for module, *arguments in wanted:
            started.append(Child(module, *arguments))
            stack.callback(started[-1].close)
        yield started


# ---- the run ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    faults: tuple[Fault, ...]
    """Calls are shared out among them."""
    calls: int
    before: int = 2
    """Turns before the one at which the services fail."""
    after: int = 3


@dataclass(frozen=True, slots=True)
class Told:
    """What one call left behind, and what its phone heard. Delays in seconds; None: never."""

    fault: str
    word_s: float | None
    """From the fault to the first word of the filler."""
    standby_s: float | None
    """From the fault to the first sound of the standby."""
    delays_before_s: tuple[float | None, ...]
    """From the end of each turn to the answer."""
    delays_after_s: tuple[float | None, ...]
    dropped: str
    """Why the call ended before its time; empty if it did not."""
    said: tuple[str, ...]
    """The transcript, `role: text`."""

    @property
    def comfort_s(self) -> float | None:
        """From the fault to anything that tells the caller that they are not alone."""
        return min((each for each in (self.word_s, self.standby_s) if each is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Line:
    fault: str
    service: Child
    link: Child
    callers: Callers

    def fail(self, _now_s: float) -> None:
        """Let the service fail."""
        match self.fault:
            case "killed":
                self.service.signal(signal.SIGKILL)
            case "frozen":
                self.service.signal(signal.SIGSTOP)
            case "slowed":
                self.link.say(str(SLOW_BPS))
            case "corrupted":
                self.service.say("corrupt")


def run(plan: Plan) -> list[Told]:
    """The calls, one after the other. Raises `LocalError` or `RemoteError` when something does not start."""
    service = "tests.bench.turn_service"
    with (
        tempfile.TemporaryDirectory(prefix="gwflt") as name,
        children((service, "--tone", f"{TONES['second']:g}")) as (standby,),
        children(*((service, "--tone", f"{TONES['first']:g}") for _ in plan.faults)) as services,
        children(*(("tests.bench.slow_link", "--to", str(each.port)) for each in services)) as links,
    ):
        directory = Path(name)
        first = [
            link.port if fault == "slowed" else each.port
            for fault, each, link in zip(plan.faults, services, links, strict=True)
        ]
        config = _config(plan, directory, first, standby.port)
        with started_gateway(config, directory) as gateway, Loop() as loop:
            aims = [
                Aim(gateway.target, HOST, fault, gateway.pid, _START_S, gateway.alive)
                for fault in plan.faults
            ]
            lines = [
                _Line(aim.to_user, one, link, Callers(loop, aim))
                for aim, one, link in zip(aims, services, links, strict=True)
            ]
            wait_ready(loop, lines[0].callers, aims[0])
            calls = _Calls(loop, plan, lines)
            calls.live()
        records = asyncio.run(_records(directory / "run" / DATABASE_NAME, plan.calls))
        return calls.told(records)


def _config(plan: Plan, directory: Path, first: Sequence[int], standby: int) -> dict[str, object]:
    plans = directory / "plans"
    plans.mkdir()
    routes = [
        f"  - {{name: {fault}, match: {{to: {fault}}}, do: [{{ai: {fault}}}]}}" for fault in plan.faults
    ]
    (plans / "plan.yaml").write_text("version: 1\nroutes:\n" + "\n".join(routes) + "\n")

    def agent(port: int, **more: object) -> dict[str, object]:
        url = f"ws://{HOST}:{port}/v1/realtime"
        return {"backend": "openai_realtime", "url": url, "api_key": "none", "greeting": "Greet.", **more}

    failing = {
        str(fault): agent(port, fallback=["standby"]) for fault, port in zip(plan.faults, first, strict=True)
    }
    config = loopback_config(
        "faults", directory / "run", plan.calls + 8, {**failing, "standby": agent(standby)}
    )
    return {**config, "dialplans": str(plans)}


async def _records(path: Path, calls: int) -> list[CallRecord]:
    async with await CallStore.open(path, create=False) as store:
        found = [await store.get(each.id) for each in await store.list_calls(limit=calls)]
    return [record for record in found if record is not None]


class _Calls:
    def __init__(self, loop: Loop, plan: Plan, lines: Sequence[_Line]) -> None:
        self._loop, self._plan, self._lines = loop, plan, lines
        self._phones: list[tuple[_Line, TalkingPhone]] = []
        self._fault_s = 0.0
        self._dropped: dict[str, str] = {}

    def live(self) -> None:
        """Place the calls, talk, fail, talk, hang up."""
        for number in range(self._plan.calls):
            line = self._lines[number % len(self._lines)]
            phone = line.callers.place_for(TalkingPhone(number % SLOTS))
            self._phones.append((line, phone))
            self._wait(1 / _CALLS_PER_S)
        self._loop.run_until(self._all_up, time.time() + 20)
        self._answers(since_s=0.0)
        for _ in range(self._plan.before):
            self._turn()
            self._answers(since_s=time.time())
        self._turn()
        self._wait(_AFTER_TURN_S)
        self._fault_s = time.time()
        for line in self._lines:
            line.fail(self._fault_s)
        self._answers(since_s=self._fault_s)
        for _ in range(self._plan.after):
            self._turn()
            self._answers(since_s=time.time())
        self._hang_up()

    def _all_up(self) -> bool:
        return all(phone.dialog.state is not DialogState.CALLING for _, phone in self._phones)

    def _wait(self, seconds: float) -> None:
        self._loop.run_until(lambda: False, time.time() + seconds)

    def _turn(self) -> None:
        """All speak, to the last word."""
        number = max(len(phone.turns_s) for _, phone in self._phones)
        for _, phone in self._phones:
            phone.speak(time.time())

        def spoken() -> bool:
            return all(len(phone.turns_s) > number or not phone.up for _, phone in self._phones)

        self._loop.run_until(spoken, time.time() + 5)

    def _answers(self, *, since_s: float) -> None:
        """Until all have heard an answer to its end."""

        def heard() -> bool:
            quiet_s = time.time() - _QUIET_S
            return all(
                phone.toned_s > since_s and phone.loud_s < quiet_s for _, phone in self._phones if phone.up
            )

        self._loop.run_until(heard, time.time() + _LONGEST_S)

    def _hang_up(self) -> None:
        now_s = time.time()
        for line, phone in self._phones:
            dialog = phone.dialog
            if not phone.up:
                self._dropped[dialog.ids.call_id] = dialog.failure or f"{dialog.state} by {dialog.ended_by}"
            self._loop.call_at(now_s, partial(line.callers.hang_up, phone))
        over = (DialogState.ENDED, DialogState.FAILED)
        self._loop.run_until(lambda: all(p.dialog.state in over for _, p in self._phones), now_s + 5)
        self._wait(1.0)  # the records are written after the last answer

    def told(self, records: Sequence[CallRecord]) -> list[Told]:
        """How the calls went."""
        said = {record.sip_call_id: _said(record) for record in records}
        return [
            self._told(line.fault, phone, said.get(phone.dialog.ids.call_id, ()))
            for line, phone in self._phones
        ]

    def _told(self, fault: str, phone: TalkingPhone, said: tuple[str, ...]) -> Told:
        heard, fault_s = phone.heard, self._fault_s

        def since(kinds: Sequence[Kind], from_s: float) -> float | None:
            found = first_s(heard, kinds, from_s)
            return None if found is None else found - from_s

        before, after = self._plan.before, phone.turns_s[self._plan.before + 1 :]
        return Told(
            fault,
            since(["words"], fault_s),
            since(["second"], fault_s),
            tuple(since(["first"], at_s) for at_s in phone.turns_s[:before]),
            tuple(since(["second"], at_s) for at_s in after),
            self._dropped.get(phone.dialog.ids.call_id, ""),
            said,
        )


def _said(record: CallRecord) -> tuple[str, ...]:
    spoken = (event.fields for event in record.timeline if event.kind is TimelineKind.SAID)
    return tuple(f"{fields['role']}: {fields['text']}" for fields in spoken)
