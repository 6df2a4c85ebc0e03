"""`/v1/realtime/client_secrets`: what a server gives a page so that it can make one call.

POST   /v1/realtime/client_secrets       {expires_after, session} → {value, expires_at, session, id}
DELETE /v1/realtime/client_secrets/{id}  take it back before it is used
"""

from datetime import UTC, datetime

from aiohttp import web

from gateway.api.access import Client
from gateway.api.operations import Gives, Operation, Takes, json_response
from gateway.api.problems import ProblemError
from gateway.api.shapes import CreatedSecret, SecretSession
from gateway.api.signalling import Signalling
from gateway.api.targets import TARGET_PARAMETERS
from gateway.api.wishes import BadWishError, SecretRequest
from gateway.store.keys import KeyStore


class ClientSecrets:
    """The resource."""

    def __init__(self, signalling: Signalling, keys: KeyStore) -> None:
        self._signalling = signalling
        self._keys = keys

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        return [
            Operation(
                id="createClientSecret",
                method="POST",
                path="/v1/realtime/client_secrets",
                group="WebRTC",
                summary="Make a client secret",
                details="A page can make one call with it, to the agent or number that it is bound to.",
                needs="operate",
                act=Takes(SecretRequest, self._create),
                parameters=TARGET_PARAMETERS,
                gives=[Gives(200, "The secret.", CreatedSecret)],
                fails=[404],
            ),
            Operation(
                id="revokeClientSecret",
                method="DELETE",
                path="/v1/realtime/client_secrets/{secret_id}",
                group="WebRTC",
                summary="Take a client secret back",
                needs="operate",
                act=self._revoke,
                gives=[Gives(204, "It can't be used any more.")],
                fails=[404],
            ),
        ]

    async def _create(self, request: web.Request, client: Client, wanted: SecretRequest) -> web.Response:
        try:
            target = self._signalling.target(request, wanted.session)
        except BadWishError as exc:
            raise ProblemError(exc.status, str(exc), param=exc.param) from exc
        secret, text = await self._keys.create_secret(
            target,
            wanted.session.instructions or "",
            created_by=client.key_id,
            now=datetime.now(UTC),
            lives_s=wanted.expires_after.seconds,
        )
        session = SecretSession(
            "realtime", "realtime.session", f"sess_{secret.id}", target, secret.instructions or None
        )
        created = CreatedSecret(text, int(secret.expires_at.timestamp()), session, secret.id)
        return json_response(created, secret=True)

    async def _revoke(self, request: web.Request, _client: Client) -> web.Response:
        if not await self._keys.revoke_secret(request.match_info["secret_id"], datetime.now(UTC)):
            raise ProblemError(404, "there is no such secret that could still be used")
        return web.Response(status=204)
