"""Turn taking of one call: the caller's frames in, what they mean for the agent out.

frame → 8 kHz → WebRTC's detector and level ─→ `TurnTracker` ─→ events
                      history of 160 ms ─→ Silero, only while the tracker is in doubt
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from gateway.config.barge_in import BargeInConfig
from gateway.core.interruption import OnInterruption, Rules
from gateway.core.speech_evidence import FRAME_S, Opinion
from gateway.core.turn_events import TurnEvent
from gateway.core.turn_tracker import TurnTracker
from gateway.media.g711 import rms
from gateway.media.resampler import Resampler
from gateway.media.silero import HISTORY_SAMPLES, SAMPLE_RATE_HZ, SpeechModel, shared
from gateway.media.vad import VoiceActivity

_FRAME_SAMPLES: Final = SAMPLE_RATE_HZ // 50
_HISTORY_FRAMES: Final = HISTORY_SAMPLES // _FRAME_SAMPLES
_SILENCE: Final = bytes(2 * _FRAME_SAMPLES)

_BACKCHANNELS: Final = {
    *("ah", "aha", "hm", "hmm", "mhm", "mm", "mmhm", "mmhmm", "mmm", "oh", "ok", "okay", "right", "sure"),
    *("uhhuh", "uhuh", "yeah", "yep", "yes"),
}
"""English words of listening, without punctuation."""


class TurnTaking:
    """One per call; every call of a process shares the model."""

    def __init__(
        self,
        policy: BargeInConfig,
        sample_rate_hz: int,
        clock: Callable[[], float],
        model: SpeechModel | None = None,
    ) -> None:
        """sample_rate_hz: of the frames, 8000, 16000 or 24000."""
        self._clock = clock
        self._model = model or shared()
        self._to_8k = Resampler(sample_rate_hz, SAMPLE_RATE_HZ) if sample_rate_hz != SAMPLE_RATE_HZ else None
        self._measure = VoiceActivity(SAMPLE_RATE_HZ).measure
        self._history = deque([_SILENCE] * _HISTORY_FRAMES, maxlen=_HISTORY_FRAMES)
        self._tracker = TurnTracker(_rules(policy), self._opinion)
        self._push = self._tracker.push
        self._agent_rest = b""
        self.speech = False
        """What the first stage says of the last frame."""

    @property
    def agent_ahead_s(self) -> float:
        """What the agent has still to say, as far as it has come."""
        return self._tracker.echo.ahead_frames * FRAME_S

    @property
    def caller_unheard(self) -> bool:
        """Whether what a service may take for the caller now is known to be a key, a noise or an echo."""
        return self._tracker.explains(self._clock())

    def on_frame(self, pcm: bytes, *, concealed: bool, bot_audible: bool) -> tuple[TurnEvent, ...]:
        """20 ms of the caller (s16le), just heard; empty as a rule. Hot path.

        concealed: the decoder made it up. bot_audible: the agent's audio is playing, or paused.
        """
        if self._to_8k is not None:
            pcm = self._to_8k.process(pcm)
        self._history.append(pcm)
        speech, level = self._measure(pcm)
        self.speech = speech
        return self._push(speech, level, concealed=concealed, bot_audible=bot_audible, now=self._clock())

    def on_agent_audio(self, pcm: bytes, sample_rate_hz: int) -> None:
        """What was queued for playing (s16le), in its order; its level tells how loud an echo may be."""
        size = sample_rate_hz // 50 * 2
        data = self._agent_rest + pcm
        whole = len(data) // size * size
        self._agent_rest = data[whole:]
        self._tracker.echo.agent_levels(
            [float(rms(data[start : start + size])) for start in range(0, whole, size)]
        )

    def on_flushed(self) -> None:
        """Everything queued was dropped."""
        self._agent_rest = b""
        self._tracker.flushed()

    def on_backend_speech_started(self) -> tuple[TurnEvent, ...]:
        """The backend heard the caller begin to speak."""
        return self._tracker.backend_speech_started(self._clock())

    def on_backend_speech_stopped(self) -> tuple[TurnEvent, ...]:
        """The backend heard the caller end."""
        return self._tracker.backend_speech_stopped(self._clock())

    def on_caller_words(self, text: str) -> tuple[TurnEvent, ...]:
        """The backend's final transcript of what was said into the agent's words.

        Words of listening change nothing, nor does the transcript of an earlier turn.
        """
        words = ["".join(filter(str.isalpha, word)).lower() for word in text.split()]
        if all(word in _BACKCHANNELS for word in words if word):
            return ()
        return self._tracker.words(self._clock())

    def on_dtmf(self) -> tuple[TurnEvent, ...]:
        """A key was pressed."""
        return self._tracker.key_pressed(self._clock())

    def _opinion(self) -> Opinion:
        heard = np.frombuffer(b"".join(self._history), np.int16)
        return self._model.opinion(heard.astype(np.float32) * np.float32(1 / 32768))


def _rules(policy: BargeInConfig) -> Rules:
    return Rules(
        action=OnInterruption[policy.action.upper()],
        gateway_decides=policy.by != "backend",
        backend_decides=policy.by != "gateway",
        min_words_s=policy.min_words_ms / 1000,
        protect_first_s=policy.protect_first_ms / 1000,
    )
