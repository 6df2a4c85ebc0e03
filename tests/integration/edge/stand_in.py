"""A child process for the tests of the supervisor: `python -m tests.integration.edge.stand_in WHAT`.

echo: prints the first line of its input, then every other line in capitals, until its input ends or
the lifeline is cut. stubborn: ignores SIGTERM and the end of its input. die: ends at once with status 3.
"""

import os
import selectors
import signal
import sys


def _echo(*, until_eof: bool) -> None:
    lifeline = int(os.environ["GATEWAY_LIFELINE_FD"])
    with selectors.DefaultSelector() as selector:
        selector.register(lifeline, selectors.EVENT_READ)
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == lifeline:
                    return
                data = os.read(key.fd, 4096)
                if data:
                    os.write(1, data.upper())
                elif until_eof:
                    return
                else:
                    selector.unregister(key.fd)


def main() -> int:
    """Do what the argument says."""
    what = sys.argv[1]
    if what == "die":
        return 3
    if what == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, b"ready\n")
    _echo(until_eof=what == "echo")
    return 0


if __name__ == "__main__":
    sys.exit(main())
