"""Faults of background tasks."""

import asyncio

import pytest

from gateway.observe.tasks import report_fault


async def test_a_fault_is_told_with_the_tasks_name_and_an_end_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail() -> None:
        raise RuntimeError("out of order")

    tasks = [
        asyncio.create_task(fail(), name="reloads"),
        asyncio.create_task(asyncio.sleep(0), name="sleeper"),
        asyncio.create_task(asyncio.sleep(60), name="cancelled"),
    ]
    for task in tasks:
        task.add_done_callback(report_fault)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    said = "".join(capsys.readouterr())
    assert said.count("a task failed") == 1
    assert "reloads" in said
    assert "out of order" in said
