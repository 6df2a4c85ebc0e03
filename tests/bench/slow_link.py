"""A TCP link that gets slow when it is told to: `python -m tests.bench.slow_link --to PORT`.

Passes every connection on to a port of 127.0.0.1. Prints one line, its own port. A line on its standard input
is the rate in bit/s of each connection and direction from then on; 0: as fast as it goes, as in the
beginning. It holds as little as it can, so that the ends notice. Leaves when its standard input closes.
"""

import argparse
import asyncio
import socket
import sys
from typing import Final

_CHUNK_BYTES: Final = 512
_SOCKET_BYTES: Final = 4096


class Link:
    """All connections."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.rate_bps = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either end has left."""
        try:
            far_reader, far_writer = await asyncio.open_connection(
                "127.0.0.1", self._port, limit=_CHUNK_BYTES
            )
        except ConnectionRefusedError:
            writer.transport.abort()  # the near end finds what it would have found without the link
            return
        ways = [
            asyncio.create_task(self._pass(reader, far_writer)),
            asyncio.create_task(self._pass(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, far_writer):
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        due_s = 0.0
        clock = asyncio.get_running_loop().time
        while data := await reader.read(_CHUNK_BYTES):
            if self.rate_bps:
                due_s = max(due_s, clock()) + 8 * len(data) / self.rate_bps
                await asyncio.sleep(due_s - clock())
            writer.write(data)
            await writer.drain()


async def _serve(port: int) -> None:
    link = Link(port)
    listener = socket.socket()
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        listener.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BYTES)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(link.carry, sock=listener, limit=_CHUNK_BYTES)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        link.rate_bps = int(line)
    server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.slow_link", description=__doc__)
    parser.add_argument("--to", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().to))


if __name__ == "__main__":
    main()
