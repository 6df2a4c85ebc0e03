"""`python -m gateway.rehearse.tap --dialogue FILE --notes FILE`: the embedded bot behind a listening post.

Starts the bot, or several among whom the sessions are shared out, passes each session of the gateway through,
and notes when which audio passed (see `share`); the audio must be µ-law. Prints its port once the bots have
spoken. When its standard input closes it writes its notes, one JSON array, and ends the bots.
"""

import argparse
import asyncio
import base64
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp
import msgspec
import uvloop
from aiohttp import WSMsgType, web
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_fixed,
)

from gateway.bench.echo_backend import appended_audio
from gateway.bot.process import LIFELINE_VARIABLE
from gateway.observe.priority import be_realtime
from gateway.rehearse.player import is_loud
from gateway.rehearse.share import TapNotes, first_loud_ms

_URL: Final = "http://bot/v1/realtime"
_START_S: Final = 20.0
_SPEECH_S: Final = 60.0
_STOP_S: Final = 5.0
_MESSAGE_MAX_BYTES: Final = 16 << 20
_MOST_NOTES: Final = 20_000
"""Of a session."""


class _Delta(msgspec.Struct):
    type: str
    delta: str = ""
    response_id: str = ""


_DELTA = msgspec.json.Decoder(_Delta)


class Notes:
    """What passes in one session, sans-IO."""

    def __init__(self, opened_s: float) -> None:
        self._opened_s = opened_s
        self._heard_s: list[float] = []
        self._answers: list[tuple[float, float]] = []
        self._response = ""
        self._begun_s = 0.0
        self._passed_ms = 0.0
        self._found = True

    def on_gateway(self, event: str, now: float) -> None:
        """A message of the gateway. Hot path."""
        audio = appended_audio(event)
        if audio is not None and len(self._heard_s) < _MOST_NOTES and is_loud(base64.b64decode(audio)):
            self._heard_s.append(now)

    def on_bot(self, event: str, now: float) -> None:
        """A message of the bot."""
        if '"response.output_audio.delta"' not in event:
            return
        delta = _DELTA.decode(event)
        if delta.response_id != self._response:
            self._response, self._begun_s, self._passed_ms, self._found = delta.response_id, now, 0.0, False
        if self._found:
            return
        audio = base64.b64decode(delta.delta)
        at_ms = first_loud_ms(audio)
        if at_ms is not None and len(self._answers) < _MOST_NOTES:
            self._found = True
            self._answers.append((self._begun_s, self._passed_ms + at_ms))
        self._passed_ms += len(audio) / 8

    def result(self) -> TapNotes:
        """For the file."""
        return TapNotes(self._opened_s, tuple(self._heard_s), tuple(self._answers))


class Tap:
    """Both sides of every session."""

    def __init__(self, bots: Sequence[aiohttp.ClientSession]) -> None:
        self._bots = bots
        self.sessions: list[Notes] = []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection of the gateway, for as long as both ends want it."""
        notes, bot = Notes(time.time()), self._bots[len(self.sessions) % len(self._bots)]
        self.sessions.append(notes)
        near = web.WebSocketResponse(compress=False, max_msg_size=_MESSAGE_MAX_BYTES)
        await near.prepare(request)
        async with (
            bot.ws_connect(_URL, compress=0, max_msg_size=_MESSAGE_MAX_BYTES) as far,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(_pass(near, far, notes.on_gateway))
            tasks.create_task(_pass(far, near, notes.on_bot))
        return near


_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pass(source: _Socket, to: _Socket, note: Callable[[str, float], None]) -> None:
    """Everything from one end to the other; when one leaves, so does the other."""
    try:
        async for message in source:
            if message.type is WSMsgType.TEXT:
                note(message.data, time.time())
                await to.send_str(message.data)
    except ConnectionResetError:
        pass  # the other end has gone: nobody is left to pass anything to
    finally:
        await to.close()


@asynccontextmanager
async def _bot(dialogue: Path, log: Path, path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """The process of a bot that listens at `path`, and a client for it."""
    lifeline, keep = os.pipe()
    errors = log.open("wb")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.bot", "--no-config", "--socket", str(path)),
        *("--dialogue", str(dialogue)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=errors,
        env={**os.environ, LIFELINE_VARIABLE: str(lifeline)},
        pass_fds=(lifeline,),
        start_new_session=True,
    )
    os.close(lifeline)
    errors.close()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path), limit=0)) as client:
            yield client
    finally:
        os.close(keep)  # it leaves on that
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _greeted(bot: aiohttp.ClientSession) -> None:
    async with bot.ws_connect(_URL, compress=0) as session:
        await session.send_json({"type": "response.create"})
        async for message in session:
            if message.type is WSMsgType.TEXT and '"response.done"' in message.data:
                return


async def _warm(bot: aiohttp.ClientSession) -> None:
    """Let the bot say its greeting once, so that it has all it needs. Raises what aiohttp raises."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(aiohttp.ClientError),
        stop=stop_after_delay(_START_S),
        wait=wait_fixed(0.1),
        reraise=True,
    )
    await retrying(_greeted, bot)


async def _speech_ready(log: Path) -> None:
    """Until the bot has synthesised all it can say: a caller would hear it wait for words."""

    def told() -> bool:
        text = log.read_bytes()
        return b"speech ready" in text or b"not synthesised" in text

    retrying = AsyncRetrying(
        retry=retry_if_result(lambda ready: not ready),
        stop=stop_after_delay(_SPEECH_S),
        wait=wait_fixed(0.1),
    )
    await retrying(asyncio.to_thread, told)


async def serve(dialogue: Path, logs: Sequence[Path]) -> list[TapNotes]:
    """Until standard input closes; what was noted. logs: one of each bot."""
    be_realtime()  # no service has this post before it
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="gwtap")))
        bots = [
            await stack.enter_async_context(_bot(dialogue, log, directory / f"bot{number}.sock"))
            for number, log in enumerate(logs)
        ]
        for bot in bots:
            await _warm(bot)
        for log in logs:
            await _speech_ready(log)
        tap, app = Tap(bots), web.Application()
        app.router.add_get("/v1/realtime", tap.serve)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            sys.stdout.write(f"{runner.addresses[0][1]}\n")
            sys.stdout.flush()
            await _input_closed()
        finally:
            await runner.cleanup()
        return [each.result() for each in tap.sessions]


async def _input_closed() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


def main() -> int:
    """Read the command line and serve; exit status 1 when the bot does not come up."""
    parser = argparse.ArgumentParser(description="The embedded bot behind a listening post.")
    parser.add_argument("--dialogue", type=Path, required=True)
    parser.add_argument("--notes", type=Path, required=True)
    parser.add_argument(
        "--log", type=Path, required=True, nargs="+", help="takes what a bot writes; as many bots as logs"
    )
    arguments = parser.parse_args()
    try:
        notes = uvloop.run(serve(arguments.dialogue, arguments.log))
    except (aiohttp.ClientError, RetryError) as exc:
        sys.stderr.write(f"the bot does not come up: {exc}\n")
        return 1
    arguments.notes.write_bytes(msgspec.json.encode(notes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
