"""`/whip/{to}`: WebRTC calls by WHIP (RFC 9725), for encoders and devices that speak nothing else.

    POST   /whip/{to}            offer → 201, answer, Location
    DELETE /whip/{to}/{call_id}  end (section 4.2)
    OPTIONS on the endpoint names the type it takes (section 4.1)

Trickle ICE and ICE restarts are not supported, so PATCH is answered with 405 (section 4.3.1): the answer
carries every candidate, and a client that moves is found again by its next STUN message.
"""

from aiohttp import web

from gateway.api.bodies import read_text
from gateway.api.problems import ProblemError
from gateway.api.realtime_calls import SDP_TYPE, created
from gateway.api.signalling import Signalling
from gateway.api.wishes import MAX_SDP_BYTES, Session
from gateway.core.termination import Reason

_ACCEPTS = {"Accept-Post": SDP_TYPE}


class Whip:
    """The resource."""

    def __init__(self, signalling: Signalling) -> None:
        self._signalling = signalling

    def routes(self) -> list[web.RouteDef]:
        """Its addresses."""
        return [
            web.post("/whip/{to}", self._create),
            web.options("/whip/{to}", self._describe),
            web.delete("/whip/{to}/{call_id}", self._end),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        if request.content_type != SDP_TYPE:
            raise ProblemError(415, f"expected {SDP_TYPE}", headers=_ACCEPTS)
        to = request.match_info["to"]
        sdp = await read_text(request, MAX_SDP_BYTES)
        session = Session(agent=to) if _is_name(to) else Session(to=to)
        placed = await self._signalling.place(request, sdp, session)
        return created(placed.sdp, f"{request.rel_url.raw_path}/{placed.call_id}")

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.Response(status=204, headers=_ACCEPTS)

    async def _end(self, request: web.Request) -> web.Response:
        await self._signalling.end(request, Reason.CALLER_HANGUP)
        return web.Response()


def _is_name(to: str) -> bool:
    """An agent's name begins with a letter, a number does not; so a misspelt agent is found out."""
    return to[:1].isalpha()
