"""What has not been delivered yet, kept in the database: a process that dies loses none of it.

A message is written down when it has not arrived within a moment, so that a receiver that answers
at once costs no writing. The one after a crash may be told twice; it knows the message by its id.
"""

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Final

from gateway.config.webhooks import EVENTS
from gateway.observe.log import get_logger
from gateway.store.database import StoreError
from gateway.store.outbox import Key, Outbox, Waiting
from gateway.webhooks.messages import Message

WRITE_AFTER_S: Final = 0.5
"""A message that has arrived by then is not written down."""
_WRITE_AGAIN_S: Final = 5.0

log = get_logger()


def name_of(url: str) -> str:
    """Names a receiver in the database without telling its address."""
    return hashlib.sha256(url.encode()).hexdigest()


class Ledger:
    """Follows messages from their making to their end. `waits` and `over` only note; `run` writes."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._written: set[Key] = set()
        self._new: dict[Key, Message] = {}
        self._ended: set[Key] = set()
        self._news = asyncio.Event()
        self._lock = asyncio.Lock()
        self._writings: set[asyncio.Task[bool]] = set()

    async def load(self) -> list[tuple[str, Message]]:
        """What an earlier process left, oldest first: receiver's name and message. Raises `StoreError`."""
        found: list[tuple[str, Message]] = []
        for each in await self._outbox.waiting():
            self._written.add(each.key)
            event = next((known for known in EVENTS if known == each.event), None)
            if event is None:
                self.over(each.receiver, each.message_id)
                continue
            message = Message(each.message_id, event, each.created_at.timestamp(), each.body)
            found.append((each.receiver, message))
        return found

    def waits(self, receiver: str, message: Message) -> None:
        """A message that may have to be delivered by another process."""
        if (receiver, message.id) not in self._written:
            self._new[receiver, message.id] = message
            self._news.set()

    def over(self, receiver: str, message_id: str) -> None:
        """It has arrived, or is given up."""
        key = (receiver, message_id)
        if self._new.pop(key, None) is None and key in self._written:
            self._ended.add(key)
            self._news.set()

    async def run(self) -> None:
        """Write for as long as there is something to write."""
        while True:
            await self._news.wait()
            await asyncio.sleep(WRITE_AFTER_S)
            if not await self.write():
                await asyncio.sleep(_WRITE_AGAIN_S)

    async def write(self) -> bool:
        """Write what has changed; False if that failed, and is to be tried again.

        A writing that has begun comes to its end though its caller is cancelled; the next one waits for it.
        """
        writing = asyncio.create_task(self._write_in_turn(), name="write undelivered webhooks")
        self._writings.add(writing)
        writing.add_done_callback(self._writings.discard)
        return await asyncio.shield(writing)

    async def _write_in_turn(self) -> bool:
        async with self._lock:
            return await self._write()

    async def _write(self) -> bool:
        self._news.clear()
        new, ended = dict(self._new), set(self._ended)
        if not new and not ended:
            return True
        rows = [
            Waiting(key[0], key[1], message.event, _moment(message), message.body)
            for key, message in new.items()
        ]
        # From here on an end of one of these has to be written.
        self._written |= new.keys()
        self._new.clear()
        try:
            await self._outbox.change(rows, ended)
        except StoreError as exc:
            log.error("undelivered webhooks could not be written down", error=str(exc), count=len(new))
            self._written -= new.keys()
            self._new = {key: each for key, each in new.items() if key not in self._ended} | self._new
            self._ended -= new.keys()
            self._news.set()
            return False
        self._written -= ended
        self._ended -= ended
        return True


def _moment(message: Message) -> datetime:
    return datetime.fromtimestamp(message.created_at_s, UTC)
