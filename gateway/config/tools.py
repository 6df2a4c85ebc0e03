"""The configuration of tools: which of the gateway's own an agent gets, and those that services offer."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.config.secret import Secret
from gateway.config.section import NO_TRUTH_VALUE, Expected, Section, unfit
from gateway.config.tool_schema import check_parameters
from gateway.config.urls import HeaderName, ServiceUrl
from gateway.config.validate import nearest
from gateway.core.variables import BUILT_IN

OWN_TOOLS: Final = ("transfer_call", "end_call", "send_dtmf", "hold", "set_variable")
"""Names of the functions that the gateway carries out itself."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_PLAIN_TYPES: Final = ("string", "integer", "number", "boolean")


def _variable(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name in BUILT_IN:
        raise unfit("small letters, digits and underscores; not a name that the gateway fills in itself")
    return name


def _tool_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name) or name in OWN_TOOLS:
        raise unfit(f"up to 64 letters, digits, - and _, and none of {', '.join(OWN_TOOLS)}")
    return name


ToolName = Annotated[str, AfterValidator(_tool_name), Expected("the name of a function")]
VariableName = Annotated[str, AfterValidator(_variable), Expected("the name of a variable")]


class AgentTools(Section):
    """What an agent's model may do in a call."""

    transfer_call: bool = True
    """Connect the caller with somebody that `allow` of the dialplan's step names; without it, with nobody."""
    end_call: bool = True
    """Hang up."""
    send_dtmf: bool = False
    """Send digits to the caller's phone, for calls that reach a machine."""
    hold: bool = False
    """Put the caller on hold for a while."""
    set_variable: list[VariableName] = Field(default_factory=list, max_length=50)
    """Variables that it may set for the following steps of the dialplan, which read them as ${name}."""
    http: list[ToolName] = Field(default_factory=list, max_length=50)
    """Functions of `http_tools` that it may call."""


class HttpToolConfig(Section):
    """A function that a service of yours carries out, asked over HTTP with JSON."""

    description: Annotated[str, Field(min_length=1, max_length=1024)]
    """What the model is told that it does, and when to use it."""
    parameters: Annotated[dict[str, Any], AfterValidator(check_parameters)] = Field(
        default_factory=lambda: {"type": "object", "properties": {}, "additionalProperties": False}
    )
    """JSON Schema (2020-12) of the arguments, an object; what the model sends is checked against it."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """HTTP method. Arguments that the URL does not name are sent as a JSON object, with GET and DELETE as
    the query."""
    url: ServiceUrl
    """Where it is asked; {name} in path and query stands for the argument of that name."""
    headers: Annotated[dict[HeaderName, Secret], Field(max_length=20)] = Field(default_factory=dict)
    """Headers, such as Authorization: Bearer ${TOKEN}; never shown."""
    timeout_s: Annotated[float, Field(ge=0.1, le=60), NO_TRUTH_VALUE] = 10.0
    """How long the model waits for it, retries included."""
    idempotent: bool | None = None
    """Whether it may be asked again after a failure; default: all methods but POST and PATCH."""
    say: Annotated[str, Field(max_length=300)] = ""
    """What the caller hears when it takes longer than 1.5 s; default: one moment, in the agent's language."""

    @property
    def may_repeat(self) -> bool:
        """Whether a failed request may be sent again."""
        return self.method not in ("POST", "PATCH") if self.idempotent is None else self.idempotent

    @model_validator(mode="after")
    def _one_line_headers(self) -> Self:
        for name, value in self.headers.items():
            text = value.get_secret_value()
            if not text.isprintable() or len(text) > 4096:
                raise unfit("a text of one line", found="something else (not shown)", key=("headers", name))
        return self

    @model_validator(mode="after")
    def _placeholders(self) -> Self:
        front = self.url.split("//", 1)[-1].split("/", 1)[0].split("?", 1)[0]
        if "{" in front:
            raise unfit("{arguments} in path and query only", key=("url",))
        properties = self.parameters.get("properties")
        known: Mapping[str, Any] = properties if isinstance(properties, dict) else {}
        required = self.parameters.get("required", [])
        for name in _PLACEHOLDER.findall(self.url):
            kind = known[name].get("type") if isinstance(known.get(name), dict) else None
            if name not in required or kind not in _PLAIN_TYPES:
                raise unfit(
                    f"{{{name}}} to be a required parameter of a plain type ({', '.join(_PLAIN_TYPES)})",
                    key=("url",),
                    hint=nearest(name, list(known)) if name not in known else "",
                )
        return self


def placeholders(url: str) -> list[str]:
    """Arguments that a URL names."""
    return _PLACEHOLDER.findall(url)


def filled(url: str, value_of: Mapping[str, str]) -> str:
    """The URL with its arguments; values must be escaped already."""
    return _PLACEHOLDER.sub(lambda match: value_of[match[1]], url)


def tools_exist(agents: Mapping[str, Any], known: Mapping[str, HttpToolConfig]) -> None:
    """For a validator of the whole configuration: every agent's functions are there, and of use."""
    for name, agent in agents.items():
        for index, tool in enumerate(agent.tools.http):
            if tool not in known:
                raise unfit(
                    f"a function of http_tools ({', '.join(known) or 'there is none'})",
                    key=("agents", name, "tools", "http", index),
                    hint=nearest(tool, list(known)),
                )
        if agent.backend == "twilio_media_streams" and agent.tools != AgentTools():
            raise unfit("no tools: such a bot has its own", found="some", key=("agents", name, "tools"))
