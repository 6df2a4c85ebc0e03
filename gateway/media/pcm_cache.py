"""Audio that is asked for again and again, in memory up to a limit."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class PcmCache(Generic[Key]):
    """The latest used; at least one, however large."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._items: OrderedDict[Key, bytes] = OrderedDict()
        self.held_bytes = 0
        """In all."""

    def get(self, key: Key) -> bytes | None:
        """What was kept; None if it is not there any more."""
        pcm = self._items.get(key)
        if pcm is not None:
            self._items.move_to_end(key)
        return pcm

    def keep(self, key: Key, pcm: bytes) -> None:
        """Keep it, in the place of what has the same key; the longest unused goes if there is no room."""
        self.held_bytes += len(pcm) - len(self._items.pop(key, b""))
        self._items[key] = pcm
        while self.held_bytes > self._limit_bytes and len(self._items) > 1:
            _, dropped = self._items.popitem(last=False)
            self.held_bytes -= len(dropped)
