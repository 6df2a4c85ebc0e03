"""Plays a script in step with the media clock: frames heard in, frames to say and orders out. Pure.

Every step is a generator that yields once per 20 ms tick until it is done and fails by raising
`StepFailed`; `self._now_s` is the time of the tick. Steps may be added while the call runs.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.errors import GatewayError
from gateway.softphone import script
from gateway.softphone.detector import DetectorSettings, SoundDetector, SoundEvent, loud_span_frames
from gateway.softphone.measure import CallLog, Utterance
from gateway.softphone.recording import cut_frames, tone

_FRAME_S = PTIME_MS / 1000


class StepFailed(GatewayError):  # noqa: N818 - an outcome of the script, not a fault of this program
    """A step did not come to its end; the message says which and why."""


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step came to its end."""

    step: script.Step


Order = script.PressKeys | script.Hold | script.Hangup
"""What only the signalling can do."""

Happening = SoundEvent | Utterance | StepDone
"""What is worth telling whoever watches the phone."""


class Conductor:
    """Runs the steps of one call from its answer to the end of the script."""

    def __init__(
        self,
        pcm_format: PcmFormat,
        recordings: Mapping[str, bytes],
        log: CallLog,
        settings: DetectorSettings | None = None,
    ) -> None:
        """`recordings`: PCM by the name that the script uses; may grow while the call runs."""
        self._format = pcm_format
        self._recordings = recordings
        self._log = log
        self._settings = settings or DetectorSettings()
        self._detector = SoundDetector(self._settings)
        self._steps: deque[script.Step] = deque()
        self._running: tuple[script.Step, Iterator[None]] | None = None
        self._closed = False
        self._ended = False
        self._now_s = 0.0
        self._say: deque[bytes] = deque()
        self._orders: list[Order] = []
        self._happenings: list[Happening] = []

    def add(self, step: script.Step) -> None:
        """Append a step."""
        self._steps.append(step)

    def close(self) -> None:
        """No further steps will be added; `done` turns true when the last one is done."""
        self._closed = True

    @property
    def done(self) -> bool:
        """The script is closed and has come to its end."""
        return self._closed and not self._steps and self._running is None

    def on_ended(self) -> None:
        """The far end hung up."""
        self._ended = True

    def hear(self, pcm: bytes, now_s: float) -> None:
        """Take the 20 ms frame that reached the ear at `now_s`; empty is silence."""
        event = self._detector.push(pcm, now_s)
        if event is not None:
            self._log.heard(event)
            self._happenings.append(event)

    def speak(self, now_s: float) -> bytes | None:
        """Move the script on; the 20 ms frame to say at `now_s`, None for silence.

        Once per tick of the media clock. Raises `StepFailed`.
        """
        self._now_s = now_s
        self._advance()
        return self._say.popleft() if self._say else None

    def take_orders(self) -> list[Order]:
        """Orders since the last call."""
        orders, self._orders = self._orders, []
        return orders

    def take_happenings(self) -> list[Happening]:
        """Happenings since the last call."""
        happenings, self._happenings = self._happenings, []
        return happenings

    def _advance(self) -> None:
        """Run steps until one has to wait for the next tick."""
        while True:
            if self._running is None:
                if not self._steps:
                    return
                step = self._steps.popleft()
                self._running = (step, self._begin(step))
            step, progress = self._running
            try:
                next(progress)
            except StopIteration:
                self._running = None
                self._happenings.append(StepDone(step))
            else:
                return

    def _wait(self, what: str, within_s: float, ready: Callable[[], bool]) -> Iterator[None]:
        deadline_s = self._now_s + within_s
        while not ready():
            if self._ended:
                raise StepFailed(f"{what}: the far end hung up")
            if self._now_s >= deadline_s:
                raise StepFailed(f"{what}: not within {within_s:g} s")
            yield

    def _begin(self, step: script.Step) -> Iterator[None]:
        match step:
            case script.Hear(within_s):
                return self._wait("hear", within_s, lambda: self._detector.sounding)
            case script.Silence(within_s):
                return self._wait("silence", within_s, lambda: self._ended or not self._detector.sounding)
            case script.Say(recording):
                return self._speak(recording, self._recordings[recording])
            case script.Interrupt():
                return self._interrupt(step)
            case script.Tone(frequency_hz, duration_ms):
                return self._speak(f"tone {frequency_hz:g} Hz", tone(frequency_hz, duration_ms, self._format))
            case script.Pause(duration_s):
                return self._pause(duration_s)
            case script.Ended(within_s):
                return self._until_ended(within_s)
            case script.PressKeys() | script.Hold() | script.Hangup():
                return self._order(step)
        assert_never(step)

    def _interrupt(self, step: script.Interrupt) -> Iterator[None]:
        audible_s: float | None = None

        def overlapping() -> bool:
            nonlocal audible_s
            if not self._detector.sounding:
                audible_s = None
            elif audible_s is None:
                audible_s = self._now_s
            loud_now = self._detector.last_loud_s > self._now_s
            return loud_now and audible_s is not None and (self._now_s - audible_s) * 1000 >= step.overlap_ms

        yield from self._wait("interrupt", step.within_s, overlapping)
        yield from self._speak(step.recording, self._recordings[step.recording])

    def _pause(self, duration_s: float) -> Iterator[None]:
        until_s = self._now_s + duration_s
        while self._now_s < until_s and not self._ended:
            yield

    def _until_ended(self, within_s: float) -> Iterator[None]:
        deadline_s = self._now_s + within_s
        while not self._ended:
            if self._now_s >= deadline_s:
                raise StepFailed(f"ended: the far end did not hang up within {within_s:g} s")
            yield

    def _order(self, order: Order) -> Iterator[None]:
        self._orders.append(order)
        yield

    def _speak(self, name: str, pcm: bytes) -> Iterator[None]:
        frames = cut_frames(pcm, self._format)
        loud = loud_span_frames(frames, self._settings.threshold_dbfs)
        start_s = self._now_s
        first_s = last_s = None
        for index, frame in enumerate(frames):
            if self._ended:
                raise StepFailed(f"say {name}: the far end hung up")
            if loud and index == loud[0]:
                first_s = self._now_s
            if loud and index == loud[1]:
                last_s = self._now_s + _FRAME_S
            self._say.append(frame)
            yield
        utterance = Utterance(name, start_s if first_s is None else first_s, last_s or self._now_s)
        self._log.said(utterance)
        self._happenings.append(utterance)
