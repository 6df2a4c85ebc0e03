"""A sound that is played to the caller again and again while the call waits for something."""

from gateway.calls.bridge import Bridge
from gateway.calls.events import CallEvent
from gateway.core.ids import Mark
from gateway.wire import card as wire


class Looped:
    """Starts at once; give it the call's events, and stop it."""

    def __init__(self, bridge: Bridge, pcm: bytes) -> None:
        """`pcm`: at the caller's sample rate; empty for silence."""
        self._bridge = bridge
        self._pcm = pcm
        self._mark: Mark | None = None
        self._stopped = False
        self._start()

    def _start(self) -> None:
        self._mark = self._bridge.play_prompt(self._pcm) if self._pcm else None

    def on_event(self, event: CallEvent) -> None:
        """Begin anew after the end."""
        if not self._stopped and isinstance(event, wire.PlayFinished) and event.mark == self._mark:
            self._start()

    def interject(self, pcm: bytes) -> None:
        """Something else, once; then the sound begins anew."""
        if not self._stopped:
            self._bridge.cut_prompts()
            self._mark = self._bridge.play_prompt(pcm)

    def stop(self) -> None:
        """Silence."""
        if not self._stopped:
            self._stopped = True
            if self._mark is not None:
                self._bridge.cut_prompts()
