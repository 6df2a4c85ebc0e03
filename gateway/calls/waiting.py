"""A caller in a queue: hears music and their place in the line, until somebody is there for them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.calls.dialling import Hunt, tidied
from gateway.calls.looped import Looped
from gateway.calls.party import Party
from gateway.calls.queues import CallQueues, Place
from gateway.dialplan.runtime import Prompt, QueueRequest, Say, StepFailedError
from gateway.observe.log import get_logger

_AGAIN_S: Final = 3.0
"""Between two rounds of calling people who did not answer."""

_POSITION: Final = {
    "en": "You are number {place} in the queue.",
    "de": "Sie sind Nummer {place} in der Warteschlange.",
    "es": "Usted es el número {place} en la cola.",
    "fr": "Vous êtes numéro {place} dans la file d'attente.",
}

log = get_logger()


class Waiting:
    """One caller's wait."""

    def __init__(
        self,
        request: QueueRequest,
        place: Place,
        queues: CallQueues,
        hunt: Callable[[], Hunt],
        pcm: Callable[[Prompt], Awaitable[bytes]],
        sound: Looped,
    ) -> None:
        """`hunt`: a new search for people. `pcm`: audio of a prompt for this caller."""
        self._request = request
        self._place = place
        self._queues = queues
        self._hunt = hunt
        self._pcm = pcm
        self._sound = sound

    async def served(self) -> Party:
        """Whoever answered for this caller. Raises `StepFailedError`."""
        announcing = asyncio.create_task(self._announce())
        found: Party | None = None
        try:
            async with asyncio.timeout(self._request.max_wait_s):
                found = await self._served()
        except TimeoutError as exc:
            reason = f"nobody was free within {self._request.max_wait_s:g} s"
            raise StepFailedError("timeout", reason) from exc
        finally:
            announcing.cancel()
            await tidied(asyncio.gather(announcing, return_exceptions=True), found)
        return found

    async def _served(self) -> Party:
        request = self._request
        while True:
            await self._place.turn()
            targets = request.targets
            if request.strategy == "round_robin":
                targets = self._queues.rotate(request.name, targets)
            try:
                return await self._hunt().find(targets, request.ring_s, request.strategy)
            except StepFailedError as exc:
                if exc.kind == "not_allowed":
                    raise
            await asyncio.sleep(_AGAIN_S)

    async def _announce(self) -> None:
        every_s = self._request.position_every_s
        if every_s is None:
            return
        language = self._request.language
        if language.split("-")[0] not in _POSITION:
            language = "en"
        text = _POSITION[language.split("-")[0]]
        while True:
            await asyncio.sleep(every_s)
            try:
                pcm = await self._pcm(Say(text.format(place=self._place.position), language))
            except StepFailedError as exc:
                log.warning("a caller's place in the queue cannot be said", error=str(exc))
                return
            self._sound.interject(pcm)
