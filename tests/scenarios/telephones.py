"""People who can be called, for calls in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

from gateway.calls.dialling import DialFault, NotReachedError, RingAbout
from gateway.calls.party import Party
from gateway.core.ids import CardId, LegId
from gateway.legs.contract import Leg
from gateway.legs.loopback import LoopbackLeg
from gateway.legs.people.line import PersonLine, Tab
from tests.sounds import samples, steady


class NoDialler:
    """Implements `Dialler` for a gateway that can call nobody."""

    async def reach(self, target: str, about: RingAbout, admit: Callable[[Leg], Party]) -> Party:
        """Always raises."""
        raise NotReachedError("unreachable", "this gateway cannot call anybody")

    def line_again(self, user: str, ring_id: str, leg: Leg) -> PersonLine | None:
        """Nobody."""
        return None

    def refer_uri(self, target: str) -> str:
        """Always raises."""
        raise NotReachedError("not_allowed", "this gateway can transfer to nobody")


@dataclass(frozen=True, slots=True)
class Habit:
    """How somebody takes calls."""

    answers_after_s: float | None = 1.0
    """None: never."""
    fault: DialFault | None = None
    """How it fails then, in the place of an answer."""
    says: int = 0
    """Sample value of their voice."""
    sample_rate_hz: int = 8000
    at_page: bool = False
    """They sit at a browser, and may put the caller on hold or hand them back."""


class Telephone:
    """Somebody's phone in a call: ticks by itself, speaks a steady value, and remembers what it hears."""

    def __init__(self, leg: LoopbackLeg, says: int) -> None:
        self.leg = leg
        self.heard: list[int] = []
        """The loudest sample of each 20 ms."""
        rate = leg.pcm_format.sample_rate_hz
        self._voice = cycle([steady(says, 20 * rate // 8000)])

    async def live(self) -> None:
        """Tick for as long as it is not hung up."""
        clock = asyncio.get_running_loop().time
        began, ticks = clock(), 0
        while self.leg.state != "closed":
            ticks += 1
            await asyncio.sleep(began + ticks * 0.02 - clock())
            frame = self.leg.peer.tick(next(self._voice))
            self.heard.append(int(samples(frame).max()) if frame else 0)


class Exchange:
    """Implements `Dialler` with phones that have habits."""

    def __init__(self, habits: dict[str, Habit]) -> None:
        self._habits = habits
        self._serial = 10
        self.rung: list[str] = []
        """Targets in the order in which they began to ring."""
        self.given_up: list[str] = []
        """Targets that stopped ringing without an answer."""
        self.phones: dict[str, Telephone] = {}
        """Phones that answered, by target."""
        self.about: list[RingAbout] = []
        self.lines: dict[str, PersonLine] = {}
        """Of people at a browser who answered, by target."""
        self._lives: set[asyncio.Task[None]] = set()

    def line_again(self, user: str, ring_id: str, leg: Leg) -> PersonLine | None:
        """As the protocol says; users are named like their targets."""
        return self._line(user, leg) if self._habits[user].at_page else None

    def _line(self, target: str, leg: Leg) -> PersonLine:
        tab = Tab(target, target, lambda _message: None)
        self.lines[target] = PersonLine("ring", leg, tab, lambda _line: None)
        return self.lines[target]

    def refer_uri(self, target: str) -> str:
        """As the protocol says."""
        if target not in self._habits:
            raise NotReachedError("not_allowed", "no such target")
        return f"sip:{target}"

    async def reach(self, target: str, about: RingAbout, admit: Callable[[Leg], Party]) -> Party:
        """As the protocol says."""
        self.rung.append(target)
        self.about.append(about)
        habit = self._habits.get(target)
        if habit is None:
            raise NotReachedError("not_allowed", "no such target")
        try:
            if habit.answers_after_s is None:
                await asyncio.get_running_loop().create_future()
            else:
                await asyncio.sleep(habit.answers_after_s)
        except asyncio.CancelledError:
            self.given_up.append(target)
            raise
        if habit.fault is not None:
            raise NotReachedError(habit.fault, "as it goes")
        self._serial += 1
        clock = asyncio.get_running_loop().time
        leg = LoopbackLeg(
            clock, sample_rate_hz=habit.sample_rate_hz, address=(CardId(9), LegId(self._serial))
        )
        party = admit(leg)
        if habit.at_page:
            party.talks_at(self._line(target, leg))
        leg.answer()
        self.phones[target] = Telephone(leg, habit.says)
        self.go_on(target)
        await party.answered
        return party

    def go_on(self, target: str) -> None:
        """Let time pass at a phone."""
        task = asyncio.create_task(self.phones[target].live())
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)

    async def freeze(self) -> None:
        """Let no time pass at any phone."""
        for life in list(self._lives):
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    async def quiet(self) -> None:
        """Wait until all phones have been hung up."""
        await asyncio.gather(*self._lives)
