"""`/v1/realtime/calls/{id}/accept | reject | refer`: what becomes of a call, as OpenAI's API has it.

A call waits for accept or reject where the configuration says `incoming: {decided_by: webhook}`.
"""

from aiohttp import web

from gateway.api.access import Client
from gateway.api.command_shapes import ReferRequest, RejectRequest
from gateway.api.commanding import Commanding
from gateway.api.operations import Gives, Operation, Takes
from gateway.api.problems import ProblemError
from gateway.api.wishes import Session
from gateway.calls.gate import Accept, Reject
from gateway.config.models import GatewayConfig


class Decisions:
    """The resource."""

    def __init__(self, commanding: Commanding, config: GatewayConfig) -> None:
        self._commanding = commanding
        self._config = config

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        return [
            Operation(
                id="acceptCall",
                method="POST",
                path="/v1/realtime/calls/{call_id}/accept",
                group="Control",
                summary="Accept a call that waits for a decision",
                details="An `agent`, or a `model` that is an agent's name, takes it; or else the dialplan.",
                needs="operate",
                act=Takes(Session, self._accept),
                gives=[Gives(200, "It goes on.")],
                fails=[404, 409],
            ),
            Operation(
                id="rejectCall",
                method="POST",
                path="/v1/realtime/calls/{call_id}/reject",
                group="Control",
                summary="Reject a call that waits for a decision",
                needs="operate",
                act=Takes(RejectRequest, self._reject),
                gives=[Gives(200, "It ends.")],
                fails=[404, 409],
            ),
            Operation(
                id="referCall",
                method="POST",
                path="/v1/realtime/calls/{call_id}/refer",
                group="Control",
                summary="Tell the caller's phone to call somebody else",
                details="Answered when the phone has said how it went (RFC 3515); then the call ends.",
                needs="operate",
                act=Takes(ReferRequest, self._refer),
                gives=[Gives(200, "The caller is elsewhere.")],
                fails=[404, 409, 504],
            ),
        ]

    async def _accept(self, request: web.Request, client: Client, session: Session) -> web.Response:
        async with self._commanding.command(request, client, "accept") as call:
            call.desk.decide(Accept(self._agent(session), session.instructions or ""))
            return web.Response()

    def _agent(self, session: Session) -> str:
        """Whom the session names; a model that only OpenAI knows is nobody."""
        agents = self._config.agents
        if session.agent and session.agent not in agents:
            raise ProblemError(404, "there is no agent of this name", param="agent")
        return session.agent or (session.model if session.model in agents else "") or ""

    async def _reject(self, request: web.Request, client: Client, wish: RejectRequest) -> web.Response:
        async with self._commanding.command(request, client, "reject") as call:
            call.desk.decide(Reject(wish.status_code, "Declined"))
            return web.Response()

    async def _refer(self, request: web.Request, client: Client, wish: ReferRequest) -> web.Response:
        async with self._commanding.command(request, client, "refer", "slow") as call:
            await call.desk.refer(wish.target_uri)
            return web.Response()
