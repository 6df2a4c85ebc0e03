"""A page of a person as the API sees it: it signs in, holds a line, and is seen."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import WSMsgType

from tests.integration.api.rig import PASSWORD, Rig


class Line:
    """A page's WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.id = ""

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def told(self, kind: str) -> dict[str, Any]:
        """The next message, which has to be of this kind."""
        async with asyncio.timeout(5):
            while (message := await self.socket.receive_json())["type"] == "alive":
                pass
        assert message["type"] == kind, message
        return dict(message)

    async def closed(self, within_s: float = 5) -> int:
        """The code that the connection was closed with."""
        async with asyncio.timeout(within_s):
            message = await self.socket.receive()
        if message.type is WSMsgType.CLOSE:
            return int(message.data)
        assert message.type is WSMsgType.CLOSED, message
        assert self.socket.close_code is not None
        return self.socket.close_code


async def sign_in(rig: Rig, user: str = "olivia", password: str = PASSWORD) -> str:
    """A token."""
    body = {"user": user, "password": password}
    async with rig.send("POST", "/v1/people/sign-in", json=body) as response:
        assert response.status == 200, await response.text()
        answer = await response.json()
        assert response.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in response.headers
    assert (answer["user"], answer["expires_in"]) == (user, 12 * 3600)
    return str(answer["token"])


@asynccontextmanager
async def connected(rig: Rig, **headers: str) -> AsyncIterator[Line]:
    """A WebSocket that has said nothing yet."""
    async with rig.http.ws_connect(f"{rig.base}/v1/people/line", headers=headers) as socket:
        yield Line(socket)


@asynccontextmanager
async def line(rig: Rig, token: str, *, ready: bool = True, resume: str = "") -> AsyncIterator[Line]:
    """A page that is signed in."""
    async with connected(rig) as it:
        await it.say(type="sign_in", token=token, resume=resume)
        it.id = (await it.told("signed_in"))["line_id"]
        if ready:
            await it.say(type="ready")
            await there(rig, "olivia", "ready")
        yield it


async def there(rig: Rig, user: str, presence: str) -> None:
    """Wait until a person is seen like this."""
    async with asyncio.timeout(5):
        while rig.people.presence(user) != presence:
            async with rig.send("GET", "/healthz"):  # lets the server do its part in between
                pass


def answer(rig: Rig, token: str, ring_id: str, line_id: str) -> "aiohttp.client._RequestContextManager":
    path = f"/v1/realtime/calls?answer={ring_id}&line={line_id}"
    return rig.offer(path, key=token)
