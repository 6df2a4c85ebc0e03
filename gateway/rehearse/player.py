"""A synthetic caller's mouth and its sense of timing, sans-IO: one frame every 20 ms, by script and by ear.

The caller hears by level only, as all that matters is whether the agent speaks. What it says is already
encoded, so that a frame costs a microsecond; only noise in the background is mixed as it goes.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from gateway.media.g711 import mixed, scaled, ulaw_decode, ulaw_encode
from gateway.rehearse.script import Act, Clip, Kind, Listen, Over, Press, Quiet, Say, Script

FRAME_S: Final = 0.02
FRAME_BYTES: Final = 320
_SILENCE: Final = b"\xff" * 160
_ECHO: Final = 10 ** (-25 / 20)
_KEPT: Final = 32
"""Packets of the agent's voice that may come back as an echo."""
_QUIET_CODES: Final = bytes(code for code in range(256) if code & 0x7F >= 0x40)
"""µ-law codes below −37 dB of full scale."""
_LOUD_SAMPLES: Final = 12
_KEYS: Final = "0123456789*#"
_KEY_FRAMES: Final = 6
_KEY_ENDS: Final = 3
"""Packets that tell a key's end, so that one arrives (RFC 4733 §2.5.1.4)."""
EVENT_TYPE: Final = 101


def is_loud(payload: bytes) -> bool:
    """Whether a µ-law payload holds more than line noise."""
    return len(payload.translate(None, _QUIET_CODES)) >= _LOUD_SAMPLES


@dataclass(frozen=True, slots=True)
class Spoken:
    """Something the caller did."""

    kind: Kind | Literal["key"]
    name: str
    first_frame: int
    """Number of the frame, counted from the first one sent."""
    onset_ms: float
    """Within that frame and those behind it."""
    end_ms: float
    over: bool
    """It was meant to sound into the agent's speech."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What goes out."""

    payload: bytes
    payload_type: int = 0
    begun_ago: int = 0
    """Frames since the key was pressed."""


class AgentEar:
    """Whether the agent speaks, from its packets."""

    def __init__(self) -> None:
        self.since_s: float | None = None
        """When it began to speak; None while it is silent."""
        self.last_loud_s = float("-inf")
        self._loud_before = False

    def push(self, loud: bool, now: float) -> None:
        """One packet."""
        if loud:
            self.last_loud_s = now
            if self.since_s is None and self._loud_before:
                self.since_s = now
        elif self.since_s is not None and now - self.last_loud_s >= 0.4:
            self.since_s = None
        self._loud_before = loud


class Player:
    """Follows one script."""

    def __init__(self, script: Script) -> None:
        self._acts: deque[Act] = deque(script.acts)
        self._total = len(script.acts)
        self._background = script.background
        self._ear = AgentEar()
        self._heard: deque[bytes] = deque(maxlen=_KEPT)
        self._began_s: float | None = None
        self._heard_agent = False
        self._clip: Clip | None = None
        self._position = 0
        self._frames: list[bytes] = []
        self._key: str | None = None
        self._key_frame = 0
        self.sent = 0
        """Frames made so far."""
        self.spoken: list[Spoken] = []
        self.quiet: list[tuple[float, float]] = []
        """Spans in which the caller was silent on purpose."""
        self.skipped = 0
        """Steps for which the agent did not speak long enough."""

    @property
    def finished(self) -> bool:
        """Whether the script is through."""
        return not self._acts and self._clip is None and self._key is None

    @property
    def progress(self) -> float:
        """Share of the script that is done."""
        return 1 - len(self._acts) / max(1, self._total)

    def on_agent(self, payload: bytes, now: float) -> None:
        """A µ-law packet of the agent arrived."""
        self._ear.push(is_loud(payload), now)
        self._heard.append(payload)

    def frame(self, now: float) -> Frame:
        """What to send now."""
        if self._clip is None and self._key is None:
            self._step(now)
        made = self._next_frame()
        self.sent += 1
        return made

    # ---- steps --------------------------------------------------------------------------------

    def _step(self, now: float) -> None:
        if not self._acts:
            return
        if self._began_s is None:
            self._began_s, self._heard_agent = now, False
        act, waited_s = self._acts[0], now - self._began_s
        self._heard_agent |= self._ear.since_s is not None
        match act:
            case Say(clip):
                self._begin(clip, over=False)
            case Press(key):
                self._press(key)
            case Quiet(duration_s):
                if waited_s >= duration_s:
                    self.quiet.append((self._began_s, now))
                    self._done()
            case Listen(within_s, silent_s):
                silent = self._ear.since_s is None and now - self._ear.last_loud_s >= silent_s
                if silent and (self._heard_agent or waited_s >= within_s):
                    self._done()
            case Over(clip, after_s, within_s):
                since_s = self._ear.since_s
                if since_s is not None and now - max(since_s, self._began_s) >= after_s:
                    self._begin(clip, over=True)
                elif waited_s >= within_s + after_s:
                    self.skipped += 1
                    self._done()

    def _done(self) -> None:
        self._acts.popleft()
        self._began_s = None

    def _begin(self, clip: Clip, *, over: bool) -> None:
        self._done()
        self._clip, self._position = clip, 0
        if not self._background and clip.echo_ms is None:
            data = ulaw_encode(clip.pcm)
            self._frames = [data[at : at + 160] for at in range(0, len(data), 160)]
        self.spoken.append(Spoken(clip.kind, clip.name, self.sent, clip.onset_ms, clip.end_ms, over))

    def _press(self, key: str) -> None:
        self._done()
        self._key, self._key_frame = key, 0
        self.spoken.append(Spoken("key", key, self.sent, 0.0, _KEY_FRAMES * 20.0, over=False))

    # ---- sound --------------------------------------------------------------------------------

    def _next_frame(self) -> Frame:
        if self._key is not None:
            return self._key_packet(self._key)
        if self._clip is None:
            return Frame(self._noise_frame() if self._background else _SILENCE)
        clip, position = self._clip, self._position
        self._position += 1
        if self._position * FRAME_BYTES >= len(clip.pcm):
            self._clip = None
        if clip.echo_ms is not None:
            return Frame(ulaw_encode(self._mixed(self._echo(clip.echo_ms))))
        if self._background:
            return Frame(ulaw_encode(self._mixed(clip.pcm[position * FRAME_BYTES :][:FRAME_BYTES])))
        return Frame(self._frames[position])

    def _noise_frame(self) -> bytes:
        return ulaw_encode(self._mixed(b""))

    def _mixed(self, pcm: bytes) -> bytes:
        if not self._background:
            return pcm
        at = self.sent * FRAME_BYTES % len(self._background)
        noise = self._background[at : at + FRAME_BYTES]
        return mixed(noise, pcm) if pcm else noise

    def _echo(self, late_ms: float) -> bytes:
        back = round(late_ms / 20)
        payload = self._heard[-back] if len(self._heard) >= back else _SILENCE
        return scaled(ulaw_decode(payload), _ECHO) if len(payload) == 160 else bytes(FRAME_BYTES)

    def _key_packet(self, key: str) -> Frame:
        number = self._key_frame
        self._key_frame += 1
        ended = number >= _KEY_FRAMES
        if self._key_frame == _KEY_FRAMES + _KEY_ENDS:
            self._key = None
        duration = min(number + 1, _KEY_FRAMES) * 160
        payload = bytes((_KEYS.index(key), 0x8A if ended else 0x0A)) + duration.to_bytes(2, "big")
        return Frame(payload, EVENT_TYPE, number)
