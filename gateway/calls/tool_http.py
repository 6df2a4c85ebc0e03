"""Functions that services of the operator's carry out: a checked request, a bounded answer, retries."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from gateway.calls.http_client import ServiceFailedError
from gateway.calls.tools import Check, SayWait, Tool, ToolAnswer, ToolFailedError
from gateway.config.tools import HttpToolConfig, filled, placeholders
from gateway.dialplan.runtime import HttpReply, HttpRequest, StepFailedError

MAX_ANSWER_BYTES: Final = 32768
"""A longer answer is none: the model would not get it in time, and pays for each word."""

_ATTEMPTS: Final = 3
_MAX_COMPLAINTS: Final = 3
_MAX_COMPLAINT_CHARS: Final = 300

Ask = Callable[[HttpRequest], Awaitable[HttpReply]]


class HttpTools:
    """All that the configuration declares, ready to be offered. Made once, for it takes its time."""

    def __init__(self, configs: Mapping[str, HttpToolConfig]) -> None:
        self._configs = dict(configs)
        self._checks = {name: _schema_check(config.parameters) for name, config in configs.items()}

    def tool(self, name: str, ask: Ask, say_wait: Callable[[str], SayWait]) -> Tool:
        """One of them, for a call. `say_wait`: makes what says given words, or the usual ones if empty."""
        config = self._configs[name]

        async def run(arguments: dict[str, Any]) -> ToolAnswer:
            return ToolAnswer(await _asked(config, arguments, ask))

        return Tool(
            name,
            config.description,
            config.parameters,
            self._checks[name],
            run,
            say_wait=say_wait(config.say),
        )


async def _asked(config: HttpToolConfig, arguments: Mapping[str, Any], ask: Ask) -> Mapping[str, Any]:
    """What the service answers. Raises `ToolFailedError`."""
    retrying = AsyncRetrying(
        stop=stop_after_attempt(_ATTEMPTS if config.may_repeat else 1),
        wait=wait_exponential(multiplier=0.2, max=1.0) + wait_random(0, 0.1),
        retry=retry_if_exception(lambda error: isinstance(error, ServiceFailedError) and error.passing),
        reraise=True,
    )
    request = request_for(config, arguments)
    try:
        async with asyncio.timeout(config.timeout_s):
            reply: HttpReply = await retrying(ask, request)
    except TimeoutError as exc:
        raise ToolFailedError(f"the service did not answer within {config.timeout_s:g} s") from exc
    except StepFailedError as exc:
        raise ToolFailedError(str(exc)) from exc
    return reply.body


def request_for(config: HttpToolConfig, arguments: Mapping[str, Any]) -> HttpRequest:
    """The request with the arguments where they belong. Raises `ToolFailedError`."""
    in_url = placeholders(config.url)
    url = filled(config.url, {name: _in_url(name, arguments[name]) for name in in_url})
    rest = {name: value for name, value in arguments.items() if name not in in_url}
    in_query = config.method in ("GET", "DELETE")
    if in_query and rest:
        query = urlencode({name: _text(value) for name, value in rest.items()})
        url += ("&" if "?" in url else "?") + query
    return HttpRequest(
        method=config.method,
        url=url,
        headers={name: value.get_secret_value() for name, value in config.headers.items()},
        body=None if in_query else rest,
        timeout_s=config.timeout_s,
        max_bytes=MAX_ANSWER_BYTES,
        any_json=True,
    )


def _in_url(name: str, value: object) -> str:
    text = _text(value)
    if text in ("", ".", ".."):
        # They would ask for another page than the operator means.
        raise ToolFailedError(f"unfit arguments: $.{name}: {text!r} is no value")
    return quote(text, safe="")


def _text(value: object) -> str:
    """A value in a URL."""
    return value if isinstance(value, str) else json.dumps(value)


def _schema_check(schema: Mapping[str, Any]) -> Check:
    # Takes half a second to import: only for whoever has tools.
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)

    def check(arguments: dict[str, Any]) -> None:
        try:
            complaints = []
            for error in validator.iter_errors(arguments):
                complaints.append(f"{error.json_path}: {error.message}"[:_MAX_COMPLAINT_CHARS])
                if len(complaints) >= _MAX_COMPLAINTS:
                    break
        except RecursionError as exc:
            raise ToolFailedError("the arguments are nested too deeply") from exc
        if complaints:
            raise ToolFailedError(f"unfit arguments: {'; '.join(complaints)}")

    return check
