"""What is played to the caller, run by run: items of the agent and our own prompts.

Each run bears a mark. A run that is cut is told about when the card has said how much of it was heard.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import getrandbits
from typing import Final, Literal, Protocol

from gateway.core.far_end import heard_ms
from gateway.core.ids import Mark
from gateway.wire import card as wire


class Voice(Protocol):
    """Where audio is played: the caller's leg, or a place in a mix of several parties."""

    def play(self, pcm: bytes, mark: Mark, *, last: bool = False) -> None:
        """As `Leg.play`."""

    def flush(self) -> Awaitable[wire.Flushed]:
        """As `Leg.flush`."""

    def pause(self) -> None:
        """As `Leg.pause`."""

    def resume(self) -> None:
        """As `Leg.resume`."""


class VoiceTap(Protocol):
    """Follows what the voice plays, for a recording."""

    def queued(self, mark: Mark, pcm: bytes) -> None:
        """Audio that will be played under a mark."""

    def started(self, mark: Mark, at_s: float) -> None:
        """It is being played."""

    def joined(self, mark: Mark, pcm: bytes, heard_s: float, now: float) -> None:
        """It was being played before we followed. `pcm`: its audio up to now; `heard_s`: how much is over."""

    def paused(self, at_s: float) -> None:
        """It has stopped, and may go on."""

    def resumed(self, at_s: float) -> None:
        """It goes on."""

    def cut(self, at_s: float) -> None:
        """What has not been played by then never will be."""


_REMEMBERED: Final = 6000
"""Chunks of a run, of 20 ms or more each: two minutes, as much as a leg ever holds."""


@dataclass(slots=True)
class Run:
    """Audio on its way through the playout buffer."""

    item_id: str
    """Of the agent; empty for a prompt of our own."""
    started: bool = False
    closed: bool = False
    """The card knows that nothing more follows."""
    finished: bool = False
    """Heard to its end."""
    started_s: float = 0.0
    paused_s: float = 0.0
    """In pauses since then that are over."""
    chunks: deque[bytes] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """Its audio, for a recording that begins in the middle of it."""


class SpokenListener(Protocol):
    """Is told how the runs fare."""

    def on_run_started(self, run: Run, at_s: float) -> None:
        """The first audio went out."""

    def on_run_finished(self, run: Run, event: wire.PlayFinished) -> None:
        """The last audio went out."""

    def on_run_cut(self, run: Run, mark: Mark, heard_ms: int, why: "Cut") -> None:
        """It was cut after this much had reached the caller's ear."""

    def on_silenced(self, flushed: wire.Flushed, heard_ms: int, why: "Cut") -> None:
        """What was playing is silent; told before the runs that were cut.

        heard_ms: of the run that was playing, how much had reached the caller's ear.
        """


CutCause = Literal["speech", "key", "page", "answer"]
"""What interrupted: the caller's words, a key, a wish of their page, or the answer to them."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Why runs were cut."""

    onset_s: float | None
    """When the caller began to interrupt; None if it was not the caller."""
    paused_at_s: float | None = None
    """When it fell silent already."""
    tell: bool = True
    """Whether the service is to know."""
    cause: CutCause = "speech"


class Spoken:
    """All runs of one call's voice."""

    def __init__(
        self,
        voice: Voice,
        listener: SpokenListener,
        delay_to_ear_ms: Callable[[], float],
        *,
        inherited: bool,
    ) -> None:
        """delay_to_ear_ms: from the wire to the caller's ear, as it is estimated now.

        `inherited`: the voice may still be playing what an earlier core gave it.
        """
        self._voice = voice
        self._listener = listener
        self._delay_to_ear_ms = delay_to_ear_ms
        # A restarted core must not reuse marks that the card may still be playing.
        self._next_mark = getrandbits(31)
        self._playing: dict[Mark, Run] = {}
        self._silencing: dict[Mark, Run] = {}
        """Runs that were cut, until the card has said what was heard."""
        self._mark_of: dict[str, Mark] = {}
        self._flushing: set[asyncio.Future[wire.Flushed]] = set()
        self.inherited = inherited
        self.paused_at_s: float | None = None
        """Since when the voice pauses; None: it does not."""
        self.tap: VoiceTap | None = None

    @property
    def audible(self) -> bool:
        """Whether runs of this core are queued or playing."""
        return bool(self._playing)

    def new_mark(self) -> Mark:
        """A label that is not in use."""
        self._next_mark = self._next_mark % 0xFFFFFFFD + 1
        return Mark(self._next_mark)

    def follow(self, tap: VoiceTap, now: float) -> None:
        """Tell `tap` what is played from now on, what is being played included."""
        self.tap = tap
        for mark, run in self._playing.items():
            pcm = b"".join(run.chunks)
            if run.started:
                until = now if self.paused_at_s is None else self.paused_at_s
                tap.joined(mark, pcm, max(0.0, until - run.started_s - run.paused_s), now)
            else:
                tap.queued(mark, pcm)
        if self.paused_at_s is not None:
            tap.paused(now)

    # ---- playing ------------------------------------------------------------------------------

    def play_item(self, item_id: str, pcm: bytes) -> None:
        """More audio of an item. Hot path."""
        mark = self._mark_of.get(item_id)
        if mark is None:
            mark = self.new_mark()
            self._mark_of[item_id] = mark
            self._playing[mark] = Run(item_id)
        self._playing[mark].chunks.append(pcm)
        if self.tap is not None:
            self.tap.queued(mark, pcm)
        self._voice.play(pcm, mark)

    def knows(self, item_id: str) -> bool:
        """Whether audio of this item has come already, and has not been played to its end."""
        return item_id in self._mark_of

    def play_prompt(self, pcm: bytes) -> Mark:
        """A prompt, after what is queued."""
        mark = self.new_mark()
        self._playing[mark] = run = Run("", closed=True)
        run.chunks.append(pcm)
        if self.tap is not None:
            self.tap.queued(mark, pcm)
        self._voice.play(pcm, mark, last=True)
        return mark

    def close_item(self, item_id: str) -> None:
        """Nothing more of an item follows."""
        mark = self._mark_of.get(item_id)
        if mark is not None:
            self._close(mark, self._playing[mark])

    def close_items(self) -> None:
        """Nothing more of any item follows."""
        for mark, run in self._playing.items():
            self._close(mark, run)

    def _close(self, mark: Mark, run: Run) -> None:
        if not run.closed:
            run.closed = True
            self._voice.play(b"", mark, last=True)

    def forget_items(self) -> None:
        """Items of the same name are new ones from now on."""
        self._mark_of.clear()

    # ---- pausing and cutting ------------------------------------------------------------------

    def pause(self, now: float) -> None:
        """Silence, that can be taken back."""
        if self.paused_at_s is None:
            self.paused_at_s = now
            self._voice.pause()
            if self.tap is not None:
                self.tap.paused(now)

    def resume(self, now: float) -> None:
        """Go on."""
        if self.paused_at_s is not None:
            if self.tap is not None:
                self.tap.resumed(now)
            for run in self._playing.values():
                if run.started:
                    run.paused_s += now - max(self.paused_at_s, run.started_s)
            self.paused_at_s = None
            self._voice.resume()

    def cut(self, onset_s: float | None, *, tell: bool = True, cause: CutCause = "speech") -> list[Run]:
        """Silence everything now; the runs that were cut."""
        why = Cut(onset_s, self.paused_at_s, tell, cause)
        interrupted, self._playing = self._playing, {}
        self._silencing |= interrupted
        self._mark_of.clear()
        self.inherited = False
        self.paused_at_s = None
        flushed = asyncio.ensure_future(self._voice.flush())
        self._flushing.add(flushed)

        def on_flushed(done: asyncio.Future[wire.Flushed]) -> None:
            self._flushing.discard(done)
            for mark in interrupted:
                del self._silencing[mark]
            if not done.cancelled():
                self._silenced(done.result(), interrupted, why)

        flushed.add_done_callback(on_flushed)
        return list(interrupted.values())

    def _silenced(self, flushed: wire.Flushed, interrupted: dict[Mark, Run], why: Cut) -> None:
        if self.tap is not None and flushed.dropped_ms > 0:
            self.tap.cut(flushed.at_s)
        silent_for_ms = 0.0 if why.paused_at_s is None else (flushed.at_s - why.paused_at_s) * 1000
        heard = heard_ms(flushed.played_ms, self._delay_to_ear_ms(), silent_for_ms)
        self._listener.on_silenced(flushed, heard, why)
        for mark, run in interrupted.items():
            if not run.finished:
                self._listener.on_run_cut(run, mark, heard if mark == flushed.mark else 0, why)

    def move(self, voice: Voice) -> None:
        """Go on elsewhere; what is playing is cut."""
        if voice is not self._voice:
            if self._playing or self.inherited:
                self.cut(None)
            self._voice = voice

    # ---- the card's word ----------------------------------------------------------------------

    def on_played(self, event: wire.PlayStarted | wire.PlayFinished) -> None:
        """A run has begun or finished."""
        if isinstance(event, wire.PlayStarted):
            self._started(event)
        else:
            self._finished(event)

    def _started(self, event: wire.PlayStarted) -> None:
        run = self._playing.get(event.mark) or self._silencing.get(event.mark)
        if run is not None and not run.started:
            run.started, run.started_s = True, event.at_s
            if self.tap is not None:
                self.tap.started(event.mark, event.at_s)
            self._listener.on_run_started(run, event.at_s)

    def _finished(self, event: wire.PlayFinished) -> None:
        run = self._playing.pop(event.mark, None)
        if run is None:
            # An interruption may cross the end of what it interrupts on the way to the card.
            run = self._silencing.get(event.mark)
        if run is None or run.finished:
            return
        run.finished = True
        if self._mark_of.get(run.item_id) == event.mark:
            del self._mark_of[run.item_id]
        self._listener.on_run_finished(run, event)
