"""Bringing one message to one receiver: attempts, what their answers mean, and when to give up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_random,
)

from gateway.webhooks.messages import Message
from gateway.webhooks.signature import signed_headers

MAX_ATTEMPTS: Final = 8
URGENT_FOR_S: Final = 20.0
"""How long a message that a caller waits for is tried."""
TRIED_FOR_S: Final = 300.0
"""How long any other message is tried."""
_ATTEMPT_TIMEOUT_S: Final = 5.0
_MAX_WAIT_S: Final = 60.0
_MAX_ANSWER_BYTES: Final = 16 << 10
"""Read so that the connection can be used again; longer answers cost it."""

_backoff = wait_exponential(multiplier=0.5, max=_MAX_WAIT_S) + wait_random(0, 0.5)

Sleep = Callable[[float], Awaitable[None]]


class DeliveryError(Exception):
    """The message did not arrive. The text holds neither the address nor anything of the message."""


class GoneError(DeliveryError):
    """The receiver wants no more messages at all (410)."""


class _TryAgainError(DeliveryError):
    def __init__(self, why: str, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages go and what signs them."""

    url: str
    key: bytes

    @property
    def host(self) -> str:
        """For logs: the path and the query may hold secrets."""
        return urlsplit(self.url).hostname or ""


class Deliverer:
    """Delivers messages over one HTTP client."""

    def __init__(self, http: aiohttp.ClientSession, wall: Callable[[], float], sleep: Sleep) -> None:
        """`wall`: Unix time in seconds."""
        self._http = http
        self._wall = wall
        self._sleep = sleep

    async def deliver(self, address: Address, message: Message) -> None:
        """Try until it has arrived. Raises `DeliveryError` when the attempts or the time are spent."""
        tried_for_s = URGENT_FOR_S if message.urgent else TRIED_FOR_S
        retrying = AsyncRetrying(
            sleep=self._sleep,
            stop=stop_after_attempt(MAX_ATTEMPTS) | stop_before_delay(tried_for_s),
            wait=_wait_s,
            retry=retry_if_exception_type(_TryAgainError),
            reraise=True,
        )
        await retrying(self._attempt, address, message)

    async def _attempt(self, address: Address, message: Message) -> None:
        headers = signed_headers(address.key, message.id, self._wall(), message.body)
        headers["Content-Type"] = "application/json"
        try:
            async with self._http.post(
                address.url,
                data=message.body,
                headers=headers,
                # Elsewhere may be anywhere: numbers go to the configured address only.
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_ATTEMPT_TIMEOUT_S),
            ) as response:
                await response.content.read(_MAX_ANSWER_BYTES)
                judge(response.status, response.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise _TryAgainError(type(exc).__name__) from exc


def judge(status: int, retry_after: str) -> None:
    """What an answer means. Raises `DeliveryError` unless the message has arrived."""
    if 200 <= status <= 299:
        return
    if status == 410:
        raise GoneError("status 410")
    wait_s = int(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0
    raise _TryAgainError(f"status {status}", min(float(wait_s), _MAX_WAIT_S))


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked_s = error.wait_s if isinstance(error, _TryAgainError) else 0.0
    return max(asked_s, _backoff(state))
