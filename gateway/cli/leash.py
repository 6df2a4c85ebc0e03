"""`python -m gateway.cli.leash MODULE ARGUMENTS`: run a module that ends with the process that started it.

For children of a command that may be killed outright: the kernel then sends them SIGTERM.
"""

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
"""prctl(2)"""


def main() -> None:
    """Put this process on the leash, then become the module."""
    parent = int(os.environ.pop("GATEWAY_LEASH_PARENT"))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        return  # it ended before the leash was on
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
