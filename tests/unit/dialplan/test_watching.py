"""Changes in a directory of dialplans, on a real file system."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from watchfiles import awatch

from gateway.dialplan import watching
from gateway.dialplan.watching import changes

LOOK_MS = 60
WITHIN_S = 20.0


class Watch:
    """Somebody who waits for changes."""

    def __init__(self, directory: Path) -> None:
        self._changes = changes(directory, LOOK_MS)

    async def seen(self) -> None:
        """The next change."""
        await asyncio.wait_for(anext(self._changes), WITHIN_S)

    async def seen_after(self, file: Path, text: str) -> None:
        """The next change, while a file is written again and again: when the watch begins is not known."""
        waiting = asyncio.ensure_future(self.seen())
        while not waiting.done():
            await asyncio.to_thread(file.write_text, text)
            await asyncio.wait([waiting], timeout=0.2)
        await waiting

    async def close(self) -> None:
        """Stop."""
        await self._changes.aclose()  # type: ignore[attr-defined]


async def seen_once_back(directory: Path, watch: Watch) -> None:
    """The next change, that being the return of the directory after a while."""
    back = asyncio.ensure_future(watch.seen())
    while not back.done():
        await asyncio.wait([back], timeout=3 * LOOK_MS / 1000)
        directory.mkdir(exist_ok=True)
    await back


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    directory = tmp_path / "plans"
    directory.mkdir()
    return directory


@pytest.fixture
async def watch(plans: Path) -> AsyncIterator[Watch]:
    watch = Watch(plans)
    yield watch
    await watch.close()


async def test_changes_within(plans: Path, watch: Watch) -> None:
    await watch.seen_after(plans / "main.yaml", "one")


async def test_another_directory_under_the_same_name(plans: Path, watch: Watch, tmp_path: Path) -> None:
    await watch.seen_after(plans / "main.yaml", "one")
    shutil.copytree(plans, tmp_path / "new")
    plans.rename(tmp_path / "old")
    (tmp_path / "new").rename(plans)
    await watch.seen()
    await watch.seen_after(plans / "main.yaml", "two")


async def test_a_link_that_is_turned(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    link = tmp_path / "plans"
    link.symlink_to("one")
    watch = Watch(link)
    await watch.seen_after(tmp_path / "one" / "main.yaml", "one")
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(link)
    await watch.seen()
    await watch.seen_after(tmp_path / "two" / "main.yaml", "two")
    await watch.close()


async def test_a_directory_that_is_away_for_a_while(plans: Path, watch: Watch) -> None:
    await watch.seen_after(plans / "main.yaml", "one")
    shutil.rmtree(plans)
    await seen_once_back(plans, watch)
    await watch.seen_after(plans / "main.yaml", "two")


async def test_a_change_while_an_exchange_is_dealt_with(plans: Path, watch: Watch, tmp_path: Path) -> None:
    await watch.seen_after(plans / "main.yaml", "one")
    (tmp_path / "new").mkdir()
    plans.rename(tmp_path / "old")
    (tmp_path / "new").rename(plans)
    await watch.seen()
    (plans / "main.yaml").write_text("two")  # nobody waits for a change now
    await watch.seen()


async def test_a_directory_that_goes_as_the_watch_begins(
    plans: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[Path] = []

    def late(directory: Path, **how: Any) -> AsyncIterator[object]:
        if not gone:
            gone.append(directory)
            directory.rmdir()
        return awatch(directory, **how)

    monkeypatch.setattr(watching, "awatch", late)
    await seen_once_back(plans, watch)
    assert gone == [plans]
    await watch.seen_after(plans / "main.yaml", "two")
