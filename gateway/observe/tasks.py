"""Background tasks that nobody waits for until the end: their faults must be heard of at once."""

import asyncio

from gateway.observe.log import get_logger


def report_fault(task: "asyncio.Task[object]") -> None:
    """For `Task.add_done_callback`: log what a task has died of, unless it was cancelled."""
    if not task.cancelled() and (error := task.exception()) is not None:
        get_logger().error("a task failed", task=task.get_name(), exc_info=error)
