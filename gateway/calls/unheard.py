"""What the caller has said that no session has understood yet, for one that takes its place. Pure.

A service that is lost takes with it the words it was listening to. They are kept here from a moment before
the caller began to speak until the service has shown that it understood them, by writing them down or by
answering.
"""

from collections import deque
from typing import Final

from gateway.backends import contract as ai
from gateway.core.audio import PTIME_MS

_BEFORE_FRAMES: Final = 300 // PTIME_MS
"""Kept of the silence before the caller's words."""
_WORD_FRAMES: Final = 200 // PTIME_MS
"""Of speech; less may be a noise, which another service will not take for words."""
_MOST_FRAMES: Final = 15_000 // PTIME_MS
"""Of a longer turn the end is kept."""
_FORGOTTEN_FRAMES: Final = 6_000 // PTIME_MS
"""After so much silence it was no turn: the service would have answered."""


class UnheardTurn:
    """One caller's."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=_MOST_FRAMES)
        self._listening = True
        self._quiet = 0
        """Frames since the caller spoke."""
        self._spoken = 0
        """Frames of speech by the gateway's own ear."""
        self.due = True
        """The conversation has begun: a new session owes an answer to the words, and does not greet."""
        self.waiting = False
        """There are words among the frames, by the gateway's own ear or by the lost service's."""
        self.replayed = False
        """The session that is there now hears them later than they were said."""

    @property
    def listening(self) -> bool:
        """Whether the caller speaks to the agent; what they say to others is nobody else's."""
        return self._listening

    @listening.setter
    def listening(self, listening: bool) -> None:
        self._listening = listening
        if not listening:
            self._frames.clear()
            self.understood()

    @property
    def audible(self) -> bool:
        """Whether there are words by the gateway's own ear: another service will hear them, too."""
        return self._spoken >= _WORD_FRAMES

    def frame(self, pcm: bytes, speech: bool) -> None:
        """20 ms of the caller. Hot path."""
        if not self._listening:
            return
        frames = self._frames
        frames.append(pcm)
        if speech:
            self.waiting = True
            self._spoken += 1
            self._quiet = 0
        elif self.waiting:
            self._quiet += 1
            if self._quiet >= _FORGOTTEN_FRAMES:
                self.understood()
        elif len(frames) > _BEFORE_FRAMES:
            frames.popleft()

    def on_event(self, event: ai.BackendEvent) -> None:
        """What the service says."""
        match event:
            case ai.SpeechStarted():
                self.waiting, self._quiet = True, 0
            case ai.ResponseDone(status="completed"):
                self.understood()
            case ai.Transcript(final=True, utterance=ai.Utterance(role="caller")):
                self.understood()

    def understood(self) -> None:
        """The service has made something of it."""
        self.waiting = self.replayed = False
        self._quiet = self._spoken = 0
        while len(self._frames) > _BEFORE_FRAMES:
            self._frames.popleft()

    def replay(self) -> bytes:
        """What a new session has to hear; empty if nothing."""
        owed = self.waiting and self.due
        self.replayed = owed and bool(self._frames)
        return b"".join(self._frames) if owed else b""
