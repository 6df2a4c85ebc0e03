"""Asking the running gateway by its HTTP API."""

from typing import Any, Final

import aiohttp

from gateway.config.models import HttpListen
from gateway.errors import LocalError

_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, connect=5)
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to connect to when a server listens on all addresses."""


async def ask(
    listen: HttpListen,
    method: str,
    path: str,
    key: str,
    body: dict[str, float] | None,
    *,
    also: tuple[int, ...] = (),
) -> dict[str, Any]:
    """The JSON object that the API answers with. Raises `LocalError` with what it says otherwise.

    also: statuses besides 200 that are answers.
    """
    host = _EVERYWHERE.get(listen.address, listen.address)
    base = f"http://[{host}]:{listen.port}" if ":" in host else f"http://{host}:{listen.port}"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.request(method, base + path, json=body) as response,
        ):
            answer: dict[str, Any] = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
        raise LocalError(f"no gateway answers at {base}: {str(exc) or 'timeout'}") from exc
    if response.status not in (200, *also):
        raise LocalError(str(answer.get("detail") or answer.get("title") or f"status {response.status}"))
    return answer
