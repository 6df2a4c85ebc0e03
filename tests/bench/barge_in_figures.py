"""Figures of turn taking: `python -m tests.bench.barge_in_figures [--action pause] [--only clean echo]`.

Plays clips (`barge_in_clips.py`) into the detector and the policy of a call, in a time of their own: no
network, no card. Delays run from the first audible 5 ms of the sound, at −34 dB of its loudest, to the
end of the frame in which the agent is stopped; on the phone add its packet, the jitter buffer and the
way back. A false stop is an agent that was stopped for good, or paused for longer than 600 ms.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table

from gateway.config.barge_in import BargeInConfig
from gateway.core.turn_events import BargeIn, PauseBot, ResumeBot, TurnEvent
from gateway.media.resampler import Resampler
from gateway.media.turn_taking import TurnTaking
from tests.bench.barge_in_clips import RATE_HZ, Clip, ClipMaker

PAUSE_MAX_MS = 600.0
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


class Line:
    """One clip being heard."""

    def __init__(self, clip: Clip, policy: BargeInConfig, rate_hz: int) -> None:
        self._clip = clip
        self._now = 100.0
        self._turns = TurnTaking(policy, rate_hz, lambda: self._now)
        self._rate_hz = rate_hz
        self._audible = True
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
            for event in self._turns.on_frame(
                pcm[at : at + size], concealed=False, bot_audible=self._audible
            ):
                self._note(event)
        self.result.cpu_us = (time.thread_time() - begun) / len(frames) * 1e6
        return self.result

    def _note(self, event: TurnEvent) -> None:
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
    kinds = (*SPEECH, "backchannels", "echo", "keys", "noises", "babble")
    parser.add_argument("--only", nargs="+", choices=kinds, metavar="KIND", default=kinds)
    parser.add_argument("--action", choices=("pause", "flush"), default="pause")
    parser.add_argument("--rate", type=int, choices=(8000, 16000, 24000), default=RATE_HZ)
    parser.add_argument("--each", action="store_true", help="print every clip, too")
    arguments = parser.parse_args()
    policy = BargeInConfig(by="gateway", action=arguments.action)
    maker = await ClipMaker.create()
    console = Console(width=120)
    table = Table(
        "clips", "onset → stop ms, p50 / p95 / p99", "missed", "false", "resumed", "max pause", "early", "µs"
    )
    for kind in arguments.only:
        clips: list[Clip] = getattr(maker, kind)()
        if not clips:
            continue
        results = [Line(clip, policy, arguments.rate).run() for clip in clips]
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
