"""Where an incoming call waits until a program outside says what becomes of it."""

import asyncio
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Accept:
    """Let it in, as the dialplan says or to an agent of choice."""

    agent: str = ""
    """Empty: as the dialplan says."""
    instructions: str = ""
    """In the place of the agent's own; empty for those."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse it with a SIP status of 400 to 699."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refer:
    """Answer it, and tell the phone to call somebody else."""

    target: str


Verdict = Accept | Reject | Refer


class Gate:
    """One call's wait."""

    def __init__(self, timeout_s: float, on_timeout: Literal["accept", "reject"]) -> None:
        self._timeout_s = timeout_s
        self._on_timeout = on_timeout
        self._verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._over = False

    def decide(self, verdict: Verdict) -> bool:
        """Say what becomes of the call; False if that is settled already."""
        if self._over or self._verdict.done():
            return False
        self._verdict.set_result(verdict)
        return True

    @property
    def waiting(self) -> bool:
        """Whether nothing is settled yet."""
        return not self._over and not self._verdict.done()

    async def verdict(self) -> Verdict:
        """What was decided, in time or by the configuration."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(self._verdict)
        except TimeoutError:
            return Accept() if self._on_timeout == "accept" else Reject(480, "Temporarily Unavailable")
        finally:
            self._over = True
