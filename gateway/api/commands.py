"""`/v1/calls/{id}/…`: steering a call that is in progress.

play, say, whisper, dtmf, hold, mute, bridge, drop, agent, record; see the OpenAPI document.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from msgspec import UNSET

from gateway.api.access import Client
from gateway.api.command_shapes import (
    AGENT_ROLES,
    AgentRequest,
    Bridged,
    BridgeRequest,
    DropRequest,
    DtmfRequest,
    HoldRequest,
    MuteRequest,
    Played,
    PlayRequest,
    Recording,
    RecordRequest,
    SayRequest,
    WhisperRequest,
)
from gateway.api.commanding import Commanding
from gateway.api.fetching import Fetching
from gateway.api.operations import Gives, Operation, Takes, json_response
from gateway.api.problems import ProblemError
from gateway.calls.call import Call
from gateway.config.models import GatewayConfig
from gateway.dialplan.dialplan import Dialplan
from gateway.dialplan.language.variables import expand
from gateway.dialplan.runtime import Prompt, Say, Sound

_DONE: Final = (Gives(204, "Done."),)
_PLAYED: Final = (Gives(200, "It plays; this long it lasts.", Played),)
_DEFAULT_LANGUAGE: Final = "en"


class Commands:
    """The resource."""

    def __init__(
        self,
        commanding: Commanding,
        config: GatewayConfig,
        dialplan: Callable[[], Dialplan],
        fetching: Fetching,
    ) -> None:
        """`dialplan`: the one in force, for its prompts."""
        self._commanding = commanding
        self._config = config
        self._dialplan = dialplan
        self._fetching = fetching

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        return [
            _verb(
                "play",
                "Play a sound",
                Takes(PlayRequest, self._play),
                "A prompt of the dialplan by name, or a WAV file (16 bit PCM) from where the configuration "
                "allows (`http.play_from`); to all parties or to one.",
                gives=_PLAYED,
                fails=(422, 502),
            ),
            _verb("say", "Say words", Takes(SayRequest, self._say), gives=_PLAYED, fails=(422,)),
            _verb(
                "whisper",
                "Say words to one party",
                Takes(WhisperRequest, self._whisper),
                "The others don't hear them.",
                gives=_PLAYED,
                fails=(422,),
            ),
            _verb("dtmf", "Press keys", Takes(DtmfRequest, self._dtmf)),
            _verb("hold", "Hold or resume", Takes(HoldRequest, self._hold)),
            _verb("mute", "Mute or unmute", Takes(MuteRequest, self._mute)),
            _verb(
                "bridge",
                "Call somebody into the call",
                Takes(BridgeRequest, self._bridge),
                "The answer comes when they have answered. With `ai: leave` the call ends when the last of "
                "them has left, unless they hand back to the agent.",
                gives=(Gives(200, "Who has joined.", Bridged),),
            ),
            _verb("drop", "Hang up on somebody", Takes(DropRequest, self._drop)),
            _verb("agent", "Change the agent's part", Takes(AgentRequest, self._agent)),
            _verb(
                "record",
                "Begin or end a recording",
                Takes(RecordRequest, self._record),
                "Both sides, in stereo.",
                gives=(Gives(200, "How the recording stands.", Recording),),
            ),
        ]

    # ---- sounds ----------------------------------------------------------------------------------

    async def _play(self, request: web.Request, client: Client, wish: PlayRequest) -> web.Response:
        async with self._wanted(request, client, wish) as (call, prompt):
            return _played(await call.desk.play(prompt, wish.to or ""))

    @asynccontextmanager
    async def _wanted(
        self, request: web.Request, client: Client, wish: PlayRequest
    ) -> AsyncIterator[tuple[Call, Prompt]]:
        if wish.prompt is not UNSET and wish.url is UNSET:
            async with self._commanding.command(request, client, "play") as call:
                yield call, self._prompt(call, wish.prompt)
        elif wish.url is not UNSET and wish.prompt is UNSET:
            # Other commands don't wait while the file comes.
            async with (
                self._fetching.fetched(wish.url) as path,
                self._commanding.command(request, client, "play") as call,
            ):
                yield call, Sound(path)
        else:
            raise ProblemError(400, "expected either prompt or url", param="prompt")

    def _prompt(self, call: Call, name: str) -> Prompt:
        prompt = self._dialplan().prompts.get(name)
        if prompt is None:
            raise ProblemError(422, "the dialplan has no prompt of this name", param="prompt")
        if isinstance(prompt, Sound):
            return prompt
        facts, figures = call.journal.facts, call.journal.figures
        known = {
            "from": facts.from_number,
            "to": facts.to_number,
            "kind": facts.kind,
            "route": figures.route,
            "agent": figures.agent,
        }
        return Say(expand(prompt.text, known), prompt.language)

    async def _say(self, request: web.Request, client: Client, wish: SayRequest) -> web.Response:
        async with self._commanding.command(request, client, "say") as call:
            words = Say(wish.text, wish.language or self._language(call))
            return _played(await call.desk.play(words, wish.to or ""))

    async def _whisper(self, request: web.Request, client: Client, wish: WhisperRequest) -> web.Response:
        async with self._commanding.command(request, client, "whisper") as call:
            words = Say(wish.text, wish.language or self._language(call))
            return _played(await call.desk.play(words, wish.to))

    def _language(self, call: Call) -> str:
        agent = self._config.agents.get(call.journal.figures.agent)
        return agent.language if agent is not None else _DEFAULT_LANGUAGE

    async def _dtmf(self, request: web.Request, client: Client, wish: DtmfRequest) -> web.Response:
        async with self._commanding.command(request, client, "dtmf") as call:
            call.desk.send_dtmf(wish.digits, wish.to or "")
            return web.Response(status=204)

    # ---- parties ---------------------------------------------------------------------------------

    async def _hold(self, request: web.Request, client: Client, wish: HoldRequest) -> web.Response:
        async with self._commanding.command(request, client, "hold") as call:
            call.desk.hold(wish.held, wish.party or "")
            return web.Response(status=204)

    async def _mute(self, request: web.Request, client: Client, wish: MuteRequest) -> web.Response:
        async with self._commanding.command(request, client, "mute") as call:
            call.desk.mute(wish.muted, wish.party)
            return web.Response(status=204)

    async def _bridge(self, request: web.Request, client: Client, wish: BridgeRequest) -> web.Response:
        async with self._commanding.command(request, client, "bridge", "slow") as call:
            party = await call.desk.bridge(wish.to, AGENT_ROLES[wish.ai], wish.ring_s)
            return json_response(Bridged(party))

    async def _drop(self, request: web.Request, client: Client, wish: DropRequest) -> web.Response:
        async with self._commanding.command(request, client, "drop") as call:
            call.desk.drop(wish.party)
            return web.Response(status=204)

    async def _agent(self, request: web.Request, client: Client, wish: AgentRequest) -> web.Response:
        async with self._commanding.command(request, client, "agent") as call:
            call.desk.set_agent(AGENT_ROLES[wish.ai])
            return web.Response(status=204)

    async def _record(self, request: web.Request, client: Client, wish: RecordRequest) -> web.Response:
        async with self._commanding.command(request, client, "record") as call:
            if wish.action == "start":
                call.desk.record()
                return json_response(Recording("started"))
            return json_response(Recording("ended", await call.desk.stop_recording()))


def _verb(
    name: str,
    summary: str,
    act: Takes[Any],
    details: str = "",
    *,
    gives: Sequence[Gives] = _DONE,
    fails: Sequence[int] = (),
) -> Operation:
    return Operation(
        id=f"{name}OnCall",
        method="POST",
        path=f"/v1/calls/{{call_id}}/{name}",
        group="Control",
        summary=summary,
        details=details,
        needs="operate",
        act=act,
        gives=gives,
        fails=(404, 409, *fails),
    )


def _played(duration_ms: int) -> web.Response:
    return json_response(Played(duration_ms))
