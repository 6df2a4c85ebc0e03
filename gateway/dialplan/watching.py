"""Notices changes in a directory of dialplans, also when the directory itself is exchanged for another."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from watchfiles import awatch

_LOOK_MS: Final = 2000
"""How often it is looked whether the path still leads to the directory that is watched: the system tells of
changes within a directory, not of a link that was turned or of another directory under the same name."""


async def changes(directory: Path, look_ms: int = _LOOK_MS) -> AsyncIterator[None]:
    """An item for each change, several at the same time being one; without end. Raises `OSError`.

    While there is no such directory nothing is told; its return counts as a change.
    """
    while True:
        watched = _identity(directory)
        if watched is None:
            await asyncio.sleep(look_ms / 1000)  # there is nothing that could be waited for
            if _identity(directory) is not None:
                yield None
            continue
        async for found in awatch(directory, rust_timeout=look_ms, yield_on_timeout=True):
            if _identity(directory) != watched:
                break
            if found:
                yield None
        if _identity(directory) is not None:
            yield None


def _identity(directory: Path) -> tuple[int, int] | None:
    """Device and number of the directory that a path leads to; None: there is none."""
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
