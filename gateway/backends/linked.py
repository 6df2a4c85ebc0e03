"""What all backends behind a WebSocket have in common."""

from collections.abc import Iterable

from gateway.backends.contract import WELL, BackendHealth
from gateway.backends.socket import WebSocketLink


class LinkedBackend:
    """A part of `gateway.backends.contract.Backend`; there is no link before it was opened."""

    _link: WebSocketLink | None = None

    def _send_all(self, messages: Iterable[bytes]) -> None:
        if self._link is not None:
            for message in messages:
                self._link.send(message)

    def narrow(self, on: bool) -> bool:
        """The format holds for the whole session."""
        return False

    def health(self) -> BackendHealth:
        """How the connection does."""
        return self._link.health() if self._link is not None else WELL

    @property
    def dropped_ms(self) -> float:
        """Caller audio dropped because the connection was too slow."""
        return self._link.dropped_ms if self._link is not None else 0.0
