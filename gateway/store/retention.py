"""Records of calls are kept for so long and no longer: they hold numbers, and what was said."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from gateway.observe.log import get_logger
from gateway.store.calls import CallStore
from gateway.store.database import StoreError

EVERY_S: Final = 86_400.0

log = get_logger()

Sleep = Callable[[float], Awaitable[object]]


class Retention:
    """Deletes old calls at the start and once a day."""

    def __init__(
        self, store: CallStore, keep: timedelta, now: Callable[[], datetime], sleep: Sleep = asyncio.sleep
    ) -> None:
        """keep: counted from a call's beginning. now: wall clock, aware."""
        self._store = store
        self._keep = keep
        self._now = now
        self._sleep = sleep

    async def run(self) -> None:
        """Without end."""
        while True:
            await self._delete_old()
            await self._sleep(EVERY_S)

    async def _delete_old(self) -> None:
        try:
            deleted = await self._store.prune(self._now() - self._keep)
        except StoreError as exc:
            log.error("old calls could not be deleted", error=str(exc))
            return
        if deleted:
            log.info("old calls deleted", calls=deleted, older_than_days=self._keep / timedelta(days=1))
