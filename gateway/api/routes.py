"""All resources of the API, put together."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.api.access import Access
from gateway.api.accounts import Accounts
from gateway.api.calls import Calls
from gateway.api.client_secrets import ClientSecrets
from gateway.api.commanding import Commanding
from gateway.api.commands import Commands
from gateway.api.decisions import Decisions
from gateway.api.dialplan import Dialplans
from gateway.api.documents import Documents
from gateway.api.event_hub import EventHub
from gateway.api.events import HEARTBEAT_S, Events
from gateway.api.fetching import Fetching
from gateway.api.handlings import Handlings
from gateway.api.line import Lines
from gateway.api.origins import origins
from gateway.api.people import PeopleResource
from gateway.api.phone import PhonePage
from gateway.api.realtime_calls import RealtimeCalls
from gateway.api.signalling import Offering, Signalling
from gateway.api.whip import Whip
from gateway.calls.service import CallService
from gateway.config.models import GatewayConfig
from gateway.core.ids import CallId
from gateway.dialplan.dialplan import Dialplan
from gateway.dialplan.live import LivePlan
from gateway.legs.people.people import People
from gateway.store.calls import CallStore
from gateway.store.keys import KeyStore
from gateway.store.sign_ins import SignIn, SignIns


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDependencies:
    """What the API stands on."""

    config: GatewayConfig
    service: CallService
    store: CallStore
    keys: KeyStore
    people: People
    """Who takes calls on the phone page."""
    sign_ins: SignIns
    signed_in: Sequence[SignIn] = ()
    """Who had signed in when the last process ended."""
    dialplan: Callable[[], Dialplan]
    """The one in force."""
    plans: LivePlan | None = None
    """Puts dialplans into force; None: not by way of the API."""
    hub: EventHub
    """What happens in calls."""
    on_slow_listener: Callable[[], None]
    """A client of an event stream was dropped."""
    offering: Offering | None
    """Gives a WebRTC peer's offer to a card; None when WebRTC is off."""
    not_accepting: Callable[[], str]
    """Why no calls can come; empty if they can."""
    clock: Callable[[], float]
    """CLOCK_MONOTONIC seconds."""
    heartbeat_s: float = HEARTBEAT_S
    """How often a quiet event stream shows that it is alive."""


@dataclass(frozen=True, slots=True)
class Api:
    """For the HTTP server."""

    routes: list[web.RouteDef]
    origins: Middleware
    close: Callable[[], Awaitable[None]]
    """Ends what would go on without end."""


def build_api(deps: ApiDependencies) -> Api:
    """Every address of the API."""
    accounts = Accounts(deps.config.users)
    accounts.restore(deps.signed_in, deps.clock(), datetime.now(UTC))
    access = Access(deps.keys, accounts, deps.clock, partial(_maker_of, deps.service))
    agents = frozenset(deps.config.agents)
    signalling = Signalling(
        deps.service, deps.offering, access, deps.keys, agents, deps.not_accepting, deps.clock
    )
    lines = Lines(deps.people, accounts, deps.clock)
    handlings = Handlings()
    people = PeopleResource(deps.people, accounts, deps.sign_ins, access, signalling, lines, handlings)
    documents = Documents()
    commanding = Commanding(deps.service, deps.store)
    resources = (
        Calls(deps.service, deps.store),
        Events(deps.hub, deps.service, deps.store, access, deps.on_slow_listener, deps.heartbeat_s),
        Decisions(commanding, deps.config),
        Commands(commanding, deps.config, deps.dialplan, Fetching(deps.config.http.play_from)),
        RealtimeCalls(signalling, people),
        ClientSecrets(signalling, deps.keys),
        Whip(signalling),
        documents,
    )
    operations = [operation for resource in resources for operation in resource.operations()]
    if deps.plans is not None:
        operations += Dialplans(deps.plans).operations()
    documents.describe(operations, version("voice-gateway"))
    routes = [operation.route(access, handlings) for operation in operations] + people.routes()
    webrtc = deps.config.webrtc
    if webrtc is not None:
        page = PhonePage(deps.config.agents, access.require_phone, people=bool(deps.config.users))
        routes += page.routes()

    async def close() -> None:
        deps.hub.close()
        await lines.close()
        await handlings.close()

    return Api(routes, origins(webrtc.cors if webrtc else []), close)


def _maker_of(service: CallService, call_id: CallId) -> str | None:
    """Who made a call in progress over the API; empty if nobody did, None if there is no such call."""
    call = service.find(call_id)
    if call is None:
        return None
    facts = call.journal.facts
    return facts.from_number if facts.kind == "webrtc" else ""
