"""Figures of turn taking: `python -m tests.bench.barge_in_figures [--service] [--only clean echo]`.

Plays clips (`barge_in_clips.py`) into the detector and the policy of a call, in a time of their own: no
network, no card. Delays run from the first audible 5 ms of the sound, at −34 dB of its loudest, to the
end of the frame in which the agent is stopped; on the phone add its packet, the jitter buffer and the
way back. A false stop is an agent that was stopped for good, or paused for longer than 600 ms.
"""

import argparse
import asyncio
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table

from gateway.config.barge_in import BargeInConfig, DecidedBy
from gateway.core.turn_events import BargeIn, PauseBot, ResumeBot, TurnEvent
from gateway.media.g711 import rms
from gateway.media.levels import from_pcm, to_pcm
from gateway.media.resampler import Resampler
from gateway.media.turn_taking import TurnTaking
from tests.bench.barge_in_clips import ECHO_DB, RATE_HZ, Clip, ClipMaker, Samples

PAUSE_MAX_MS = 600.0
AUDIBLE_RMS = 80.0
SPEECH = ("clean", "human", "noisy")


@dataclass(slots=True)
class Result:
    """What happened in one clip."""

    clip: Clip
    stopped_ms: float | None = None
    """From the onset to the first pause or stop after it."""
    taken_ms: float | None = None
    """From the onset to the stop for good."""
    early: int = 0
    """Pauses before the sound."""
    pauses_ms: list[float] = field(default_factory=list)
    resumed_first: bool = False
    """The agent went on once before it was stopped for good."""
    cpu_us: float = 0.0
    """Per frame."""


class Credulous:
    """A service that takes every sound above the line's noise for speech, and says so 160 ms later."""

    def __init__(self) -> None:
        self._coming: deque[float] = deque([0.0] * 8, maxlen=8)
        self._loud = self._quiet = 0
        self._hears = False
        self._noise: list[float] = []
        """Levels of the clip's beginning."""

    def hear(self, frame: bytes, turns: TurnTaking) -> tuple[TurnEvent, ...]:
        """One frame; what comes of its word."""
        level = self._coming[0]
        self._coming.append(float(rms(frame)))
        if len(self._noise) < 40:
            self._noise.append(level)
            return ()
        audible = level >= max(AUDIBLE_RMS, 2.5 * float(np.median(self._noise)))
        self._loud = self._loud + 1 if audible else 0
        self._quiet = self._quiet + 1 if not audible else 0
        if not self._hears and self._loud >= 2:
            self._hears = True
            return turns.on_backend_speech_started()
        if self._hears and self._quiet >= 15:
            self._hears = False
            return turns.on_backend_speech_stopped()
        return ()


class Line:
    """One clip being heard."""

    def __init__(self, clip: Clip, policy: BargeInConfig, rate_hz: int, *, service: bool) -> None:
        """service: one that takes everything for speech has its say, too."""
        self._clip = clip
        self._now = 100.0
        self._turns = TurnTaking(policy, rate_hz, lambda: self._now)
        self._rate_hz = rate_hz
        self._audible = True
        self._paused = False
        self._played: list[Samples] = []
        """Of an agent whose echo comes back, frame by frame."""
        self._service = Credulous() if service else None
        self.result = Result(clip)

    def run(self) -> Result:
        """Hear it to its end."""
        pcm = Resampler(RATE_HZ, self._rate_hz).process(self._clip.pcm)
        self._turns.on_agent_audio(self._clip.agent, RATE_HZ)
        size = self._rate_hz // 50 * 2
        begun = time.thread_time()
        frames = range(0, len(pcm) - size + 1, size)
        for at in frames:
            self._now += 0.02
            frame = pcm[at : at + size]
            if self._clip.echo_ms is not None:
                frame = self._with_echo(frame, self._clip.echo_ms)
            events = self._turns.on_frame(frame, concealed=False, bot_audible=self._audible)
            if self._service is not None:
                events += self._service.hear(frame, self._turns)
            for event in events:
                self._note(event)
        self.result.cpu_us = (time.thread_time() - begun) / len(frames) * 1e6
        return self.result

    def _with_echo(self, frame: bytes, late_ms: float) -> bytes:
        """The frame and what comes back of the agent, who says nothing while it is paused."""
        per_frame = RATE_HZ // 50
        agent = from_pcm(self._clip.agent)
        begun = sum(bool(len(each)) for each in self._played) * per_frame
        silent = self._paused or not self._audible
        self._played.append(np.zeros(0, np.float32) if silent else agent[begun : begun + per_frame])
        back = len(self._played) - 1 - round(late_ms / 20)
        since_ms = (self._now - 100.0) * 1000
        if back < 0 or since_ms < self._clip.onset_ms or len(self._played[back]) < per_frame:
            return frame
        echo = self._played[back] * np.float32(10 ** (ECHO_DB / 20))
        at_rate = Resampler(RATE_HZ, self._rate_hz).process(to_pcm(echo))[: len(frame)]
        mixed = np.frombuffer(frame, "<i2") + np.frombuffer(at_rate.ljust(len(frame), b"\0"), "<i2")
        return bytes(mixed.astype("<i2").tobytes())

    def _note(self, event: TurnEvent) -> None:
        self._paused = isinstance(event, PauseBot) or (self._paused and not isinstance(event, ResumeBot))
        result, since_ms = self.result, (self._now - 100.0) * 1000 - self._clip.onset_ms
        if isinstance(event, PauseBot | BargeIn):
            if since_ms < 0:
                result.early += 1
            elif result.stopped_ms is None:
                result.stopped_ms = since_ms
        if isinstance(event, BargeIn):
            result.taken_ms = since_ms
            self._audible = False
            self._turns.on_flushed()
        elif isinstance(event, ResumeBot):
            result.pauses_ms.append(event.paused_ms)
            result.resumed_first = result.taken_ms is None


def figures(results: Sequence[Result], *, speech: bool) -> list[str]:
    """One row of the table."""
    stops = [each.stopped_ms for each in results if each.stopped_ms is not None]
    pauses = [pause for each in results for pause in each.pauses_ms]
    taken = sum(each.taken_ms is not None for each in results)
    too_long = sum(any(pause > PAUSE_MAX_MS for pause in each.pauses_ms) for each in results)
    paused = sum(bool(each.pauses_ms) for each in results)
    return [
        " / ".join(f"{value:.0f}" for value in np.percentile(stops, [50, 95, 99])) if stops else "–",
        f"{len(results) - taken}" if speech else "",
        "" if speech else f"{taken + too_long}",
        f"{paused}",
        f"{max(pauses):.0f}" if pauses else "–",
        f"{sum(each.early for each in results)}",
        f"{np.mean([each.cpu_us for each in results]):.1f}",
    ]


async def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.barge_in_figures", description=__doc__)
    kinds = (*SPEECH, "backchannels", "echo", "sudden_echo", "keys", "noises", "babble")
    parser.add_argument("--only", nargs="+", choices=kinds, metavar="KIND", default=kinds)
    parser.add_argument("--action", choices=("pause", "flush"), default="pause")
    parser.add_argument("--rate", type=int, choices=(8000, 16000, 24000), default=RATE_HZ)
    parser.add_argument(
        "--service", action="store_true", help="a service that takes every sound for speech decides, too"
    )
    parser.add_argument("--each", action="store_true", help="print every clip, too")
    arguments = parser.parse_args()
    by: DecidedBy = "both" if arguments.service else "gateway"
    policy = BargeInConfig(by=by, action=arguments.action)
    maker = await ClipMaker.create()
    console = Console(width=120)
    table = Table(
        "clips", "onset → stop ms, p50 / p95 / p99", "missed", "false", "resumed", "max pause", "early", "µs"
    )
    for kind in arguments.only:
        clips: list[Clip] = getattr(maker, kind)()
        if not clips:
            continue
        results = [Line(clip, policy, arguments.rate, service=arguments.service).run() for clip in clips]
        table.add_row(f"{len(results)} {kind}", *figures(results, speech=kind in SPEECH))
        for each in results if arguments.each else ():
            duration_ms = each.clip.end_ms - each.clip.onset_ms
            console.print(
                f"{each.clip.name} {duration_ms:.0f} ms: {each.stopped_ms} {each.taken_ms} {each.pauses_ms}"
            )
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
