"""All resources of the API, put together."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.api.access import Access
from gateway.api.calls import Calls
from gateway.api.client_secrets import ClientSecrets
from gateway.api.origins import origins
from gateway.api.phone import PhonePage
from gateway.api.realtime_calls import RealtimeCalls
from gateway.api.signalling import Offering, Signalling
from gateway.api.whip import Whip
from gateway.calls.service import CallService
from gateway.config.models import GatewayConfig
from gateway.store.calls import CallStore
from gateway.store.keys import KeyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDependencies:
    """What the API stands on."""

    config: GatewayConfig
    service: CallService
    store: CallStore
    keys: KeyStore
    offering: Offering | None
    """Gives a WebRTC peer's offer to a card; None when WebRTC is off."""
    not_accepting: Callable[[], str]
    """Why no calls can come; empty if they can."""
    clock: Callable[[], float]
    """CLOCK_MONOTONIC seconds."""


@dataclass(frozen=True, slots=True)
class Api:
    """For the HTTP server."""

    routes: list[web.RouteDef]
    origins: Middleware


def build_api(deps: ApiDependencies) -> Api:
    """Every address of the API."""
    access = Access(deps.keys)
    agents = frozenset(deps.config.agents)
    signalling = Signalling(
        deps.service, deps.offering, access, deps.keys, agents, deps.not_accepting, deps.clock
    )
    resources = (
        RealtimeCalls(signalling),
        Whip(signalling),
        ClientSecrets(signalling, access, deps.keys),
        Calls(deps.service, deps.store, access),
    )
    routes = [route for resource in resources for route in resource.routes()]
    webrtc = deps.config.webrtc
    if webrtc is not None:
        routes += PhonePage(deps.config.agents, lambda request: access.require(request, "read")).routes()
    return Api(routes, origins(webrtc.cors if webrtc else []))
