"""The core's HTTP server: health, readiness, metrics, and the API."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from gateway.api.origins import let_page_read
from gateway.api.problems import problems
from gateway.api.routes import Api
from gateway.config.models import HttpListen
from gateway.errors import LocalError
from gateway.observe.metrics import Metrics

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def _closing(api: Api) -> Callable[[web.Application], Awaitable[None]]:
    async def close(_app: web.Application) -> None:
        await api.close()

    return close


class HttpServer:
    """Serves until closed."""

    def __init__(
        self, listen: HttpListen, metrics: Metrics, readiness: Callable[[], str], api: Api | None = None
    ) -> None:
        """`readiness` returns the reason why no calls can come, empty if they can."""
        self._listen = listen
        self._metrics = metrics
        self._readiness = readiness
        middlewares = [problems] if api is None else [problems, api.origins]
        self._app = app = web.Application(client_max_size=1 << 20, middlewares=middlewares)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._render_metrics)
        if api is not None:
            app.router.add_routes(api.routes)
            app.on_response_prepare.append(let_page_read)
            app.on_shutdown.append(_closing(api))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, handler_cancellation=True)

    async def start(self) -> None:
        """Bind and serve. Raises `LocalError` when the address cannot be used."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._listen.address, self._listen.port)
        try:
            await site.start()
        except OSError as exc:
            await self._runner.cleanup()
            reason = (exc.strerror or str(exc)).lower()
            raise LocalError(
                f"http.listen {self._listen.address}:{self._listen.port} cannot be used: {reason}"
            ) from exc

    @property
    def routes(self) -> list[web.AbstractRoute]:
        """Every address that is served."""
        return list(self._app.router.routes())

    @property
    def port(self) -> int:
        """The TCP port in use, also when 0 was configured."""
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        reason = self._readiness()
        if reason:
            return web.json_response({"status": "not ready", "reason": reason}, status=503)
        return web.json_response({"status": "ready"})

    async def _render_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": METRICS_TYPE})
