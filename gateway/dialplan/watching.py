"""Notices changes in a directory of dialplans, also when the directory itself is exchanged for another."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from watchfiles import awatch

from gateway.observe.log import get_logger

_LOOK_MS: Final = 2000
"""How often it is looked whether the path still leads to the directory that is watched: the system tells of
changes within a directory, not of a link that was turned or of another directory under the same name."""

log = get_logger()


async def changes(directory: Path, look_ms: int = _LOOK_MS) -> AsyncIterator[None]:
    """An item for each change, several at the same time being one; without end. Raises `OSError`.

    While there is no such directory nothing is told; its return, like an exchange, counts as a change.
    Nothing is missed while an item is dealt with: the directory is watched meanwhile.
    """
    fresh = False
    while True:
        watched = _identity(directory)
        if watched is not None:
            try:
                async for found in awatch(directory, rust_timeout=look_ms, yield_on_timeout=True):
                    if _identity(directory) != watched:
                        break
                    if found or fresh:
                        fresh = False
                        yield None
            except FileNotFoundError as exc:
                # It, or a directory in it, went as the watch began.
                log.info("the directory of dialplans is gone, it is looked for again", error=str(exc))
                watched = None
        fresh = True
        if watched is None:
            await asyncio.sleep(look_ms / 1000)  # there is nothing that could be waited for


def _identity(directory: Path) -> tuple[int, int] | None:
    """Device and number of the directory that a path leads to; None: there is none."""
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
