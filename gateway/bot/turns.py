"""When the caller begins and stops to speak, from speech probabilities. Pure.

A chunk is 32 ms, the step of the Silero model. Onset needs `ONSET_CHUNKS` in a row at the threshold.
While the bot is being heard its own echo comes back, which the model takes for speech: for chunks no
louder than that may be (`guarded`) the threshold rises by `GUARD_THRESHOLD` and `GUARD_CHUNKS` (128 ms)
are asked for. A turn ends after
the configured silence, where a chunk is silent only 0.15 below the threshold, so that a fading
syllable does not end it.
"""

from typing import Final, Literal

CHUNK_MS: Final = 32
ONSET_CHUNKS: Final = 2
GUARD_CHUNKS: Final = 4
GUARD_THRESHOLD: Final = 0.15
RELEASE: Final = 0.15
MAX_TURN_MS: Final = 30_000
"""A longer turn is ended: it is noise, or music on hold."""

Change = Literal["started", "stopped"]


class TurnTracker:
    """Follows one caller; time is the audio's own."""

    def __init__(self, *, threshold: float, silence_duration_ms: int) -> None:
        self._threshold = threshold
        self._end_chunks = max(1, round(silence_duration_ms / CHUNK_MS))
        self._run = 0
        self._silent = 0
        self._chunks = 0
        self._turn_chunks = 0
        self._speaking = False

    @property
    def speaking(self) -> bool:
        """Whether the caller's turn is going on."""
        return self._speaking

    @property
    def audio_ms(self) -> int:
        """Audio heard so far."""
        return self._chunks * CHUNK_MS

    @property
    def onset_ms(self) -> int:
        """Where the run of speech began that is counted now, or that started the turn."""
        return (self._chunks - self._run) * CHUNK_MS

    def configure(self, *, threshold: float, silence_duration_ms: int) -> None:
        """Change the settings; a turn that is going on goes on."""
        self._threshold = threshold
        self._end_chunks = max(1, round(silence_duration_ms / CHUNK_MS))

    def push(self, probability: float, *, guarded: bool) -> Change | None:
        """One chunk; `guarded` if it may be the bot's echo."""
        self._chunks += 1
        return self._in_turn(probability) if self._speaking else self._waiting(probability, guarded)

    def _waiting(self, probability: float, guarded: bool) -> Change | None:
        needed = min(1.0, self._threshold + GUARD_THRESHOLD) if guarded else self._threshold
        self._run = self._run + 1 if probability >= needed else 0
        if self._run < (GUARD_CHUNKS if guarded else ONSET_CHUNKS):
            return None
        self._speaking = True
        self._silent = 0
        self._turn_chunks = self._run
        return "started"

    def _in_turn(self, probability: float) -> Change | None:
        self._turn_chunks += 1
        self._silent = 0 if probability >= self._threshold - RELEASE else self._silent + 1
        if self._silent < self._end_chunks and self._turn_chunks * CHUNK_MS < MAX_TURN_MS:
            return None
        self.reset()
        return "stopped"

    def reset(self) -> None:
        """The turn is over, whoever said so."""
        self._speaking = False
        self._run = 0
        self._silent = 0
