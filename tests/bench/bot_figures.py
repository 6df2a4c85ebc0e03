"""Figures of the embedded bot: `python -m tests.bench.bot_figures [--sessions 20] [--turns 8]`.

Starts a bot process and callers in this one. Each caller streams µ-law in real time, is greeted,
interrupts and asks for things with three flite voices. Measured at the caller: onset of speech to
speech_started (while the bot is heard, and in silence), and end of speech to the first audio of the
answer. The bot's CPU is its process's, over the time that all callers talk.
"""

import argparse
import asyncio
import base64
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import numpy as np
from rich.console import Console
from rich.table import Table

from gateway.media.g711 import ulaw_encode
from gateway.media.speech import FLITE_VOICES, Synthesiser
from tests.integration.bot.bot_process import running_bot
from tests.integration.bot.caller import PHONE

TEXTS = ("Hold on, please.", "I need billing, please.", "No, thank you.", "Opening hours, please.")
FRAME_SAMPLES = 160
LOUD = 0.02
"""Share of the loudest frame's RMS from which a frame is speech."""
PAUSE_S = (1.0, 2.0)
"""Silence before a caller speaks: the first while the bot is heard, the second when it has ended."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to say, as 20 ms frames of µ-law."""

    frames: tuple[bytes, ...]
    first: int
    """First frame with speech."""
    last: int
    """Last frame with speech."""


@dataclass(slots=True)
class Figures:
    """Milliseconds measured."""

    barge_in: list[float] = field(default_factory=list)
    onset: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    missed: int = 0


def clip(pcm: bytes) -> Clip:
    """Cut PCM at 8 kHz into frames and find the speech."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    samples = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    rms = np.sqrt(np.mean(samples**2, axis=1))
    loud = np.flatnonzero(rms > rms.max() * LOUD)
    frames = tuple(ulaw_encode(frame.astype("<i2").tobytes()) for frame in samples)
    return Clip(frames, int(loud[0]), int(loud[-1]))


class Caller:
    """One session that talks for some turns."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, clips: Sequence[Clip], seed: int) -> None:
        self._socket = socket
        self._clips = clips
        self._random = np.random.default_rng(seed)
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._started = asyncio.Event()
        self._answered = asyncio.Event()
        self._started_at = 0.0
        self._answered_at = 0.0
        self._sent_ms = 0.0
        self._heard_until = 0.0

    async def _frame(self, data: bytes) -> float:
        self._due = max(self._due + 0.02, self._loop.time() - 0.1)
        await asyncio.sleep(self._due - self._loop.time())
        await self._socket.send_json(
            {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}
        )
        return self._loop.time()

    async def _silence_until(self, at: float) -> None:
        while self._loop.time() < at:
            await self._frame(b"\xff" * FRAME_SAMPLES)

    async def listen(self) -> None:
        """Note when things happen."""
        async for message in self._socket:
            event = message.json()
            now = self._loop.time()
            kind = event["type"]
            if kind == "input_audio_buffer.speech_started":
                self._started_at = now
                self._heard_until = now
                self._started.set()
            elif kind == "response.created":
                self._heard_until = now
            elif kind == "response.output_audio.delta":
                self._heard_until += len(event["delta"]) * 3 // 4 / 8000
                if not self._answered.is_set():
                    self._answered_at = now
                    self._answered.set()

    async def talk(self, turns: int, figures: Figures) -> None:
        """Be greeted, then speak `turns` times, in turn into the bot's words and after them."""
        await self._socket.send_json({"type": "session.update", "session": PHONE})
        await self._socket.send_json({"type": "response.create"})
        self._due = self._loop.time()
        for turn in range(turns):
            await self._silence_until(self._loop.time() + self._random.uniform(*PAUSE_S))
            if turn % 2:
                await self._silence_until(self._heard_until + 0.5)
            await self._say(figures)

    async def _say(self, figures: Figures) -> None:
        said = self._clips[int(self._random.integers(len(self._clips)))]
        self._started.clear()
        self._answered.clear()
        over_bot = self._heard_until > self._loop.time()
        onset_at = end_at = 0.0
        for index, frame in enumerate(said.frames):
            at = await self._frame(frame)
            onset_at = at if index == said.first else onset_at
            end_at = at if index == said.last else end_at
        await self._silence_until(end_at + 1.5)
        if not self._started.is_set() or not self._answered.is_set():
            figures.missed += 1
            return
        (figures.barge_in if over_bot else figures.onset).append((self._started_at - onset_at) * 1000)
        figures.answer.append((self._answered_at - end_at) * 1000)


def cpu_s(pid: int) -> float:
    """CPU time of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Proportional set size of a process."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024


async def measure(sessions: int, turns: int, clips: Sequence[Clip]) -> tuple[Figures, dict[str, float]]:
    """Run the callers against a fresh bot."""
    figures = Figures()
    begun = time.monotonic()
    async with running_bot() as bot, aiohttp.ClientSession() as http:
        start_s = time.monotonic() - begun
        await bot.speech_ready.wait()
        ready_s = time.monotonic() - begun
        sockets = [await http.ws_connect(f"{bot.url}/realtime?model=bench") for _ in range(sessions)]
        callers = [Caller(socket, clips, seed) for seed, socket in enumerate(sockets)]
        before, since = cpu_s(bot.process.pid), time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            listeners = [tasks.create_task(caller.listen()) for caller in callers]
            async with asyncio.TaskGroup() as talking:
                for caller in callers:
                    talking.create_task(caller.talk(turns, figures))
            used, elapsed = cpu_s(bot.process.pid) - before, time.monotonic() - since
            memory = memory_mb(bot.process.pid)
            for socket in sockets:
                await socket.close()
            for listener in listeners:
                listener.cancel()
    return figures, {
        "start": start_s,
        "ready": ready_s,
        "cpu": used / elapsed / sessions * 100,
        "memory": memory,
    }


def percentiles(values: Sequence[float]) -> str:
    """p50 and p95 of some milliseconds."""
    if not values:
        return "–"
    p50, p95 = np.percentile(values, [50, 95])
    return f"{p50:.0f} / {p95:.0f} ({len(values)})"


async def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bot_figures", description=__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--turns", type=int, default=8)
    arguments = parser.parse_args()
    clips = []
    for voice in FLITE_VOICES[:3]:
        synthesiser = Synthesiser(voice, engine="flite")
        clips += [clip(await synthesiser.speak(text, "en", 8000)) for text in TEXTS]
    table = Table(
        "sessions",
        "onset, bot heard",
        "onset, silence",
        "end → audio",
        "missed",
        "CPU %",
        "start s",
        "speech ready s",
        "MB",
    )
    for sessions in arguments.sessions:
        figures, process = await measure(sessions, arguments.turns, clips)
        table.add_row(
            str(sessions),
            percentiles(figures.barge_in),
            percentiles(figures.onset),
            percentiles(figures.answer),
            str(figures.missed),
            f"{process['cpu']:.2f}",
            f"{process['start']:.1f}",
            f"{process['ready']:.1f}",
            f"{process['memory']:.0f}",
        )
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
