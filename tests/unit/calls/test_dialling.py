"""A search for people that is called off at an awkward moment leaves no leg behind."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.calls.dialling import Hunt, RingAbout
from gateway.calls.party import Party
from gateway.core.ids import CallId
from gateway.legs.contract import Leg
from gateway.legs.loopback import LoopbackLeg
from gateway.legs.people.line import PersonLine

ABOUT = RingAbout(CallId("call_1"), "", "", "")


class Phones:
    """`quick` answers when told; `slow` takes its time to stop ringing, and may have answered meanwhile."""

    def __init__(self, *, slow_answers: bool = False) -> None:
        self.legs: dict[str, LoopbackLeg] = {}
        self.answer, self.stopping, self.stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._slow_answers = slow_answers

    async def reach(self, target: str, about: RingAbout, admit: Callable[[Leg], Party]) -> Party:
        leg = self.legs[target] = LoopbackLeg(asyncio.get_running_loop().time, outbound=True)
        party = admit(leg)
        if target == "quick":
            await self.answer.wait()
            return party
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.stopping.set()
            while not self.stopped.is_set():
                try:
                    await self.stopped.wait()
                except asyncio.CancelledError:
                    continue
            if not self._slow_answers:
                party.close("given up")
                raise
        return party

    def line_again(self, user: str, ring_id: str, leg: Leg) -> PersonLine | None:
        return None

    def refer_uri(self, target: str) -> str:
        return target


def hunt(phones: Phones) -> "asyncio.Task[Party]":
    admitted = Hunt(phones, ABOUT, lambda leg: Party("p", "person", leg, ""))
    return asyncio.create_task(admitted.find(("quick", "slow"), 30.0, "all"))


async def ended(legs: dict[str, LoopbackLeg]) -> None:
    """Let what is due happen."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert {name: leg.state for name, leg in legs.items()} == dict.fromkeys(legs, "closed")


@pytest.mark.parametrize("slow_answers", [False, True])
async def test_the_caller_goes_while_the_others_stop_ringing(slow_answers: bool) -> None:
    """Also where one of them answers just then."""
    phones = Phones(slow_answers=slow_answers)
    search = hunt(phones)
    phones.answer.set()
    await phones.stopping.wait()
    search.cancel()
    await asyncio.sleep(0)
    phones.stopped.set()
    with pytest.raises(asyncio.CancelledError):
        await search
    await ended(phones.legs)


async def test_two_answer_and_one_is_wanted() -> None:
    phones = Phones(slow_answers=True)
    search = hunt(phones)
    phones.answer.set()
    await phones.stopping.wait()
    phones.stopped.set()
    assert (await search).leg is phones.legs["quick"]
    await ended({"slow": phones.legs["slow"]})
    assert phones.legs["quick"].state != "closed"
