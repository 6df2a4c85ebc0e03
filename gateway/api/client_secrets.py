"""`/v1/realtime/client_secrets`: what a server gives a page so that it can make one call.

POST   /v1/realtime/client_secrets       {expires_after, session} → {value, expires_at, session, id}
DELETE /v1/realtime/client_secrets/{id}  take it back before it is used
"""

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from gateway.api.access import Access
from gateway.api.bodies import read_text
from gateway.api.problems import ProblemError
from gateway.api.signalling import Signalling
from gateway.api.wishes import BadWishError, read_secret_request
from gateway.store.keys import KeyStore

_MAX_BODY_BYTES = 64 << 10


class ClientSecrets:
    """The resource."""

    def __init__(self, signalling: Signalling, access: Access, keys: KeyStore) -> None:
        self._signalling = signalling
        self._access = access
        self._keys = keys

    def routes(self) -> list[web.RouteDef]:
        """Its addresses."""
        return [
            web.post("/v1/realtime/client_secrets", self._create),
            web.delete("/v1/realtime/client_secrets/{secret_id}", self._revoke),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        client = await self._access.require(request, "operate")
        try:
            wanted = read_secret_request(await read_text(request, _MAX_BODY_BYTES))
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
        session: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": f"sess_{secret.id}",
            "model": target,
        }
        if secret.instructions:
            session["instructions"] = secret.instructions
        expires_at = int(secret.expires_at.timestamp())
        # Nobody between us and the client may keep a copy.
        return web.json_response(
            {"value": text, "expires_at": expires_at, "session": session, "id": secret.id},
            headers={"Cache-Control": "no-store"},
        )

    async def _revoke(self, request: web.Request) -> web.Response:
        await self._access.require(request, "operate")
        if not await self._keys.revoke_secret(request.match_info["secret_id"], datetime.now(UTC)):
            raise ProblemError(404, "there is no such secret that could still be used")
        return web.Response(status=204)
