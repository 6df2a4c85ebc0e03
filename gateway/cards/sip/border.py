"""The border to native code: an exception that leaves a callback would unwind through C and abort."""

import contextlib
import traceback
from collections import Counter
from collections.abc import Iterator

from gateway.observe.log import get_logger

_faults: Counter[str] = Counter()


@contextlib.contextmanager
def callback(name: str) -> Iterator[None]:
    """Keep exceptions on our side: log and count them."""
    try:
        yield
    except Exception:  # noqa: BLE001 - nothing may pass the border
        # Without the values of local variables, which hold what callers send.
        get_logger().error("callback failed", callback=name, trace=traceback.format_exc())
        _faults[name] += 1


def callback_faults() -> int:
    """Exceptions caught at the border to PJSIP since the process began (each is logged)."""
    return _faults.total()
