"""`/whip/{to}`: WebRTC calls by WHIP (RFC 9725), for encoders and devices that speak nothing else.

    POST   /whip/{to}            offer → 201, answer, Location
    DELETE /whip/{to}/{call_id}  end, whatever its If-Match says (section 4.2)
    PATCH  /whip/{to}/{call_id}  501 (section 4.3): neither trickle ICE nor ICE restarts, and so no ETag
    OPTIONS on the endpoint names the type it takes (section 4.2)

The answer carries every candidate, and a client that moves is found again by its next STUN message. Unlike
a broadcaster's server we also speak: an offer that is `sendrecv` is answered so, one that is `sendonly`
with `recvonly`.
"""

from aiohttp import web

from gateway.api.access import Client
from gateway.api.bodies import read_text
from gateway.api.operations import Content, Gives, Operation
from gateway.api.origins import WHIP_OPTIONS
from gateway.api.problems import ProblemError
from gateway.api.realtime_calls import SDP_TYPE, created
from gateway.api.signalling import Signalling
from gateway.api.wishes import MAX_SDP_BYTES, Session
from gateway.core.termination import Reason


class Whip:
    """The resource."""

    def __init__(self, signalling: Signalling) -> None:
        self._signalling = signalling

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        location = {"Location": "Address of the call; DELETE ends it."}
        return [
            Operation(
                id="publishByWhip",
                method="POST",
                path="/whip/{to}",
                group="WHIP",
                summary="Call (RFC 9725 section 4.2)",
                needs="caller",
                act=self._create,
                contents=[Content(SDP_TYPE)],
                gives=[Gives(201, "The SDP answer.", media_type=SDP_TYPE, headers=location)],
                fails=[404, 422, 501, 502, 503],
                abandonable=True,
            ),
            Operation(
                id="describeWhip",
                method="OPTIONS",
                path="/whip/{to}",
                group="WHIP",
                summary="Which body is taken (RFC 9725 section 4.2)",
                needs="nobody",
                act=self._describe,
                gives=[Gives(200, "`Accept-Post` names it.", headers={"Accept-Post": "The type."})],
            ),
            Operation(
                id="patchByWhip",
                method="PATCH",
                path="/whip/{to}/{call_id}",
                group="WHIP",
                summary="Trickle ICE and ICE restarts (RFC 9725 section 4.3)",
                details="Not provided: the answer carries every candidate.",
                needs="nobody",
                act=self._patch,
                gives=[],
                fails=[501],
            ),
            Operation(
                id="endByWhip",
                method="DELETE",
                path="/whip/{to}/{call_id}",
                group="WHIP",
                summary="Hang up (RFC 9725 section 4.2)",
                needs="caller",
                act=self._end,
                gives=[Gives(200, "The call ends.")],
                fails=[404],
            ),
        ]

    async def _create(self, request: web.Request, _client: Client) -> web.Response:
        if request.content_type != SDP_TYPE:
            raise ProblemError(415, f"expected {SDP_TYPE}", headers=WHIP_OPTIONS)
        to = request.match_info["to"]
        sdp = await read_text(request, MAX_SDP_BYTES)
        session = Session(agent=to) if _is_name(to) else Session(to=to)
        placed = await self._signalling.place(request, sdp, session)
        return created(placed.sdp, f"{request.rel_url.raw_path}/{placed.call_id}")

    async def _describe(self, _request: web.Request, _client: Client) -> web.Response:
        return web.Response(headers=WHIP_OPTIONS)

    async def _patch(self, _request: web.Request, _client: Client) -> web.Response:
        raise ProblemError(501, "trickle ICE and ICE restarts are not provided")

    async def _end(self, request: web.Request, _client: Client) -> web.Response:
        await self._signalling.end(request, Reason.CALLER_HANGUP)
        return web.Response()


def _is_name(to: str) -> bool:
    """An agent's name begins with a letter, a number does not; so a misspelt agent is found out."""
    return to[:1].isalpha()
