"""The border to native code: an exception that leaves a callback would unwind through C and abort."""

import contextlib
import traceback
from collections.abc import Iterator

from gateway.observe.log import get_logger


@contextlib.contextmanager
def callback(name: str) -> Iterator[None]:
    """Keep exceptions on our side, and log them."""
    try:
        yield
    except Exception:  # noqa: BLE001 - nothing may pass the border
        # Without the values of local variables, which hold what callers send.
        get_logger().error("callback failed", callback=name, trace=traceback.format_exc())
