"""Calling other people into a call: one after the other or all at once, until one answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.calls.party import Party
from gateway.core.ids import CallId
from gateway.dialplan.runtime import DialStrategy, FailureKind, StepFailedError
from gateway.legs.contract import Leg
from gateway.legs.people.line import PersonLine

DialFault = Literal["busy", "no_answer", "refused", "unreachable", "not_allowed"]
"""Why somebody was not reached; the kinds of `StepFailedError` that a dial step knows."""


class NotReachedError(Exception):
    """Somebody was not reached. The message is for the timeline and holds no personal data."""

    def __init__(self, fault: DialFault, reason: str) -> None:
        super().__init__(reason)
        self.fault: DialFault = fault


@dataclass(frozen=True, slots=True)
class RingAbout:
    """What somebody who is called may know."""

    call_id: CallId
    from_number: str
    """Who is to be connected; personal data."""
    to_number: str
    """What the caller dialled; personal data."""
    agent: str
    """Agent that the caller talked to; empty if none."""
    transcript: tuple[tuple[Literal["caller", "agent"], str], ...] = ()
    """The last things said; personal data."""
    caller_id: str = ""
    """Number to be shown; empty: the caller's where the trunk allows it."""


class Dialler(Protocol):
    """Reaches people, by phone or in a browser."""

    async def reach(self, target: str, about: RingAbout, admit: Callable[[Leg], Party]) -> Party:
        """Ring a target; the party that `admit` made of its leg, once it has answered.

        Rings until it is cancelled, and then leaves nothing behind. Raises `NotReachedError`.
        """

    def line_again(self, user: str, ring_id: str, leg: Leg) -> PersonLine | None:
        """The page of a person whom an earlier core had called; None if there is no such person."""

    def refer_uri(self, target: str) -> str:
        """The address by which a phone calls a target itself. Raises `NotReachedError`."""


_WORST_FIRST: tuple[DialFault, ...] = ("not_allowed", "unreachable", "refused", "no_answer", "busy")
"""When several failed in different ways, the last of these that occurred is the result: it tells most."""


async def tidied(work: Awaitable[object], found: Party | None) -> None:
    """Wait for work that ends a search. If nobody waits for the result any more, whoever was found goes."""
    try:
        await work
    except asyncio.CancelledError:
        if found is not None:
            found.close("the caller has gone")
        raise


def _close_unchosen(attempt: "asyncio.Task[Party]") -> None:
    if not attempt.cancelled() and attempt.exception() is None and not attempt.result().chosen:
        attempt.result().close("somebody else answered")


class Hunt:
    """Looks for the first of several people who answers."""

    def __init__(self, dialler: Dialler, about: RingAbout, admit: Callable[[Leg], Party]) -> None:
        self._dialler = dialler
        self._about = about
        self._admit = admit
        self._faults: list[NotReachedError] = []

    async def find(self, targets: Sequence[str], ring_s: float, strategy: DialStrategy) -> Party:
        """The party that answered. Raises `StepFailedError`; leaves no leg behind that nobody wants."""
        if strategy == "all":
            found = await self._first_of(targets, ring_s)
        else:
            found = await self._one_by_one(targets, ring_s)
        if found is None:
            raise self._result()
        return found

    async def _one_by_one(self, targets: Sequence[str], ring_s: float) -> Party | None:
        for target in targets:
            party = await self._first_of([target], ring_s)
            if party is not None:
                return party
        return None

    async def _first_of(self, targets: Sequence[str], ring_s: float) -> Party | None:
        attempts = [
            asyncio.create_task(self._dialler.reach(target, self._about, self._admit)) for target in targets
        ]
        found: Party | None = None
        try:
            async with asyncio.timeout(ring_s):
                found = await self._answered(set(attempts))
        except TimeoutError:
            self._faults.append(NotReachedError("no_answer", f"nobody answered within {ring_s:g} s"))
        finally:
            await tidied(self._give_up(attempts), found)
        return found

    async def _answered(self, pending: "set[asyncio.Task[Party]]") -> Party | None:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                party = self._outcome(attempt)
                if party is not None:
                    return party
        return None

    def _outcome(self, attempt: "asyncio.Task[Party]") -> Party | None:
        try:
            party = attempt.result()
        except NotReachedError as exc:
            self._faults.append(exc)
            return None
        party.chosen = True
        return party

    async def _give_up(self, attempts: Sequence["asyncio.Task[Party]"]) -> None:
        for attempt in attempts:
            attempt.cancel()
            # Two may answer at the same moment, and one just when the time is over.
            attempt.add_done_callback(_close_unchosen)
        await asyncio.gather(*attempts, return_exceptions=True)

    def _result(self) -> StepFailedError:
        worst = max(self._faults, key=lambda fault: _WORST_FIRST.index(fault.fault), default=None)
        if worst is None:
            return StepFailedError("unreachable", "there is nobody to call")
        kind: FailureKind = worst.fault
        return StepFailedError(kind, str(worst))
