"""`/v1/realtime/calls`: WebRTC calls as OpenAI's Realtime API makes them.

POST   /v1/realtime/calls             offer (application/sdp, or multipart: sdp, session) → 201, answer;
                                      with ?answer= a person takes a call that rings (gateway.api.people)
DELETE /v1/realtime/calls/{id}        the caller hangs up
POST   /v1/realtime/calls/{id}/hangup an operator hangs up
"""

from aiohttp import web

from gateway.api.access import Client
from gateway.api.bodies import read_form, read_text
from gateway.api.operations import Content, Gives, Operation, Parameter
from gateway.api.people import PeopleResource
from gateway.api.problems import ProblemError
from gateway.api.signalling import Signalling
from gateway.api.targets import TARGET_PARAMETERS
from gateway.api.wishes import MAX_SDP_BYTES, BadWishError, Session, read_session
from gateway.core.termination import Reason

SDP_TYPE = "application/sdp"
FORM_TYPE = "multipart/form-data"


class RealtimeCalls:
    """The resource."""

    def __init__(self, signalling: Signalling, people: PeopleResource) -> None:
        self._signalling = signalling
        self._people = people

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        answering = (
            Parameter("answer", "The ring that a person takes, instead of a call of one's own."),
            Parameter("line", "The person's line, with `answer`."),
        )
        location = {"Location": "Address of the call; DELETE ends it."}
        return [
            Operation(
                id="createCall",
                method="POST",
                path="/v1/realtime/calls",
                group="WebRTC",
                summary="Call from a browser or app",
                details="The answer carries every ICE candidate; there is no trickling.",
                needs="caller",
                act=self._create,
                parameters=(*TARGET_PARAMETERS, *answering),
                contents=[Content(SDP_TYPE), Content(FORM_TYPE, {"sdp": str, "session": Session})],
                gives=[Gives(201, "The SDP answer.", media_type=SDP_TYPE, headers=location)],
                fails=[404, 409, 422, 501, 502, 503],
                abandonable=True,
            ),
            Operation(
                id="leaveCall",
                method="DELETE",
                path="/v1/realtime/calls/{call_id}",
                group="WebRTC",
                summary="Hang up, as the caller",
                needs="caller",
                act=self._leave,
                gives=[Gives(200, "The call ends.")],
                fails=[404],
            ),
            Operation(
                id="hangUpCall",
                method="POST",
                path="/v1/realtime/calls/{call_id}/hangup",
                group="Control",
                summary="Hang up, as the operator",
                needs="operate",
                act=self._hang_up,
                gives=[Gives(200, "The call ends.")],
                fails=[404],
            ),
        ]

    async def _create(self, request: web.Request, _client: Client) -> web.Response:
        sdp, session = await self._offer(request)
        if "answer" in request.query:
            return created(*await self._people.answer(request, sdp))
        placed = await self._signalling.place(request, sdp, session)
        return created(placed.sdp, f"/v1/realtime/calls/{placed.call_id}")

    async def _offer(self, request: web.Request) -> tuple[str, Session]:
        if request.content_type == SDP_TYPE:
            return await read_text(request, MAX_SDP_BYTES), Session()
        if request.content_type != FORM_TYPE:
            raise ProblemError(415, f"expected {SDP_TYPE} or {FORM_TYPE}")
        form = await read_form(request, MAX_SDP_BYTES)
        if "sdp" not in form:
            raise ProblemError(400, "the form has no field sdp", param="sdp")
        try:
            session = read_session(form["session"]) if form.get("session") else Session()
        except BadWishError as exc:
            raise ProblemError(exc.status, str(exc), param=exc.param) from exc
        return form["sdp"], session

    async def _leave(self, request: web.Request, _client: Client) -> web.Response:
        await self._signalling.end(request, Reason.CALLER_HANGUP)
        return web.Response()

    async def _hang_up(self, request: web.Request, _client: Client) -> web.Response:
        await self._signalling.end(request, Reason.ADMIN_HANGUP)
        return web.Response()


def created(sdp: str, location: str) -> web.Response:
    """201 with the answer and the address of the call."""
    return web.Response(status=201, body=sdp.encode(), content_type=SDP_TYPE, headers={"Location": location})
