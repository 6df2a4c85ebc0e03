"""`/v1/dialplan`: the dialplan in force, and putting another one into force.

GET  /v1/dialplan              what holds, what held before, what is wrong with the files
POST /v1/dialplan/reload       read the files again; with canary_percent for a share of the callers
POST /v1/dialplan/promote      the canary becomes the plan of all callers
POST /v1/dialplan/rollback     drop the canary, or bring back the plan before
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.api.access import Client
from gateway.api.operations import Gives, Operation, Takes, json_response
from gateway.api.problems import ProblemError
from gateway.config.problems import ConfigError
from gateway.dialplan.archive import ArchiveError
from gateway.dialplan.live import LivePlan, PlanStatus
from gateway.dialplan.versions import Action, Version, VersionsError


class ReloadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to put the files into force."""

    canary_percent: Annotated[float, Meta(gt=0, lt=100)] | None = None
    """Share of the callers; none: all of them."""


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say."""


class PlanVersion(msgspec.Struct, frozen=True):
    """A plan that was put into force."""

    digest: Annotated[str, Meta(description="SHA-256 of its files.")]
    at: datetime
    by: Annotated[str, Meta(description="Name of the API key, or what else did it.")]
    action: Action
    routes: int


class PlanState(msgspec.Struct, frozen=True):
    """The dialplan in force."""

    current: PlanVersion
    canary: PlanVersion | None
    canary_percent: Annotated[float, Meta(description="Share of the callers that get the canary.")]
    history: Annotated[list[PlanVersion], Meta(description="Newest first.")]
    error: Annotated[str, Meta(description="Why the files were refused the last time; empty if not.")]
    error_at: datetime | None


class Dialplans:
    """The resource."""

    def __init__(self, plans: LivePlan) -> None:
        self._plans = plans

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        return [
            Operation(
                id="getDialplan",
                method="GET",
                path="/v1/dialplan",
                group="Dialplan",
                summary="Show which dialplan is in force",
                needs="read",
                act=self._show,
                gives=[Gives(200, "What holds, and what held before.", PlanState)],
            ),
            _change(
                "reload",
                "Put the files into force",
                Takes(ReloadRequest, self._reload),
                "Calls in progress keep their plan. Files with mistakes change nothing: 422 says them all.",
            ),
            _change(
                "promote",
                "Make the canary the plan of all callers",
                Takes(NoOptions, self._promote),
                "422: it cannot be read any more, or no longer fits the configuration.",
            ),
            _change(
                "rollback",
                "Drop the canary, or bring back the plan before",
                Takes(NoOptions, self._rollback),
                "422: that plan cannot be read any more, or no longer fits the configuration.",
            ),
        ]

    async def _show(self, _request: web.Request, _client: Client) -> web.Response:
        return json_response(_state(self._plans.status()))

    async def _reload(self, _request: web.Request, client: Client, wish: ReloadRequest) -> web.Response:
        return await _answer(lambda: self._plans.reload(client.identity, wish.canary_percent))

    async def _promote(self, _request: web.Request, client: Client, _wish: NoOptions) -> web.Response:
        return await _answer(lambda: self._plans.promote(client.identity))

    async def _rollback(self, _request: web.Request, client: Client, _wish: NoOptions) -> web.Response:
        return await _answer(lambda: self._plans.rollback(client.identity))


def _change(verb: str, summary: str, act: Takes[ReloadRequest] | Takes[NoOptions], details: str) -> Operation:
    return Operation(
        id=f"{verb}Dialplan",
        method="POST",
        path=f"/v1/dialplan/{verb}",
        group="Dialplan",
        summary=summary,
        details=details,
        needs="admin",
        act=act,
        gives=[Gives(200, "What holds now.", PlanState)],
        fails=(409, 422),
    )


async def _answer(change: Callable[[], Awaitable[PlanStatus]]) -> web.Response:
    try:
        status = await change()
    except ConfigError as exc:
        raise ProblemError(422, str(exc)) from exc
    except (VersionsError, ArchiveError) as exc:
        raise ProblemError(409, str(exc)) from exc
    return json_response(_state(status))


def _state(status: PlanStatus) -> PlanState:
    return PlanState(
        current=_version(status.current),
        canary=None if status.canary is None else _version(status.canary),
        canary_percent=status.canary_percent,
        history=[_version(version) for version in status.history],
        error=status.error,
        error_at=status.error_at,
    )


def _version(version: Version) -> PlanVersion:
    return PlanVersion(version.digest, version.at, version.by, version.action, version.routes)
