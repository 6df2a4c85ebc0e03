"""Sounds from the network, for `play` with a URL: only from where the configuration says."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from gateway.api.problems import ProblemError

MAX_SOUND_BYTES: Final = 8 << 20
FETCH_TIMEOUT_S: Final = 10.0


def is_allowed(url: URL, prefixes: Sequence[str]) -> bool:
    """Whether a URL is at or below one of these. Dots in paths have been resolved by `URL`."""
    if url.user or url.password:
        return False
    return any(
        (url.scheme, url.host, url.port) == (prefix.scheme, prefix.host, prefix.port)
        and f"{url.raw_path}/".startswith(f"{prefix.raw_path.rstrip('/')}/")
        for prefix in map(URL, prefixes)
    )


class Fetching:
    """Fetches files, bounded in size and time."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        """`prefixes`: `http.play_from` of the configuration."""
        self._prefixes = prefixes

    @asynccontextmanager
    async def fetched(self, text: str) -> AsyncIterator[Path]:
        """The file, while the block runs. Raises `ProblemError`."""
        try:
            url = URL(text)
            allowed = url.scheme in ("http", "https") and is_allowed(url, self._prefixes)
        except ValueError as exc:
            raise ProblemError(400, "this is no URL", param="url") from exc
        if not allowed:
            raise ProblemError(403, "the configuration does not allow this URL (http.play_from)", param="url")
        body = await self._get(url)
        with tempfile.TemporaryDirectory(prefix="gw-sound-") as directory:
            path = Path(directory) / "sound.wav"
            await asyncio.to_thread(path.write_bytes, body)
            yield path

    async def _get(self, url: URL) -> bytes:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        body = bytearray()
        try:
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as http,
                # Elsewhere may be anywhere, also within our own network.
                http.get(url, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise ProblemError(502, f"the URL answers with {response.status}", param="url")
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MAX_SOUND_BYTES:
                        raise ProblemError(
                            422, f"the sound has more than {MAX_SOUND_BYTES} bytes", param="url"
                        )
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise ProblemError(502, f"the URL cannot be fetched: {type(exc).__name__}", param="url") from exc
        return bytes(body)
