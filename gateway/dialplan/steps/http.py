"""`http`: look something up and put it into variables."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field

from gateway.config.section import Expected, unfit
from gateway.config.urls import HeaderName
from gateway.dialplan.language.variables import MAX_VALUE_CHARS, REFERENCE
from gateway.dialplan.language.words import AnyText, Seconds, Value, VariableName, at_most
from gateway.dialplan.runtime import CallControl, FailureKind, HttpRequest, StepFailedError
from gateway.dialplan.step import FailingStep, Outcome, Scene


def _fixed_host(text: str) -> str:
    expected = "http://HOST/PATH or https://HOST/PATH with ${variables} in path and query only"
    try:
        url = urlsplit(REFERENCE.sub("0", text))
        usable = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError as exc:
        raise unfit(expected) from exc
    front = text.split("//", 1)[-1].split("/", 1)[0].split("?", 1)[0]
    if not usable or "$" in front or "@" in front or not _is_host(url.hostname or ""):
        raise unfit(expected)
    return text


def _is_host(text: str) -> bool:
    """Whether a connection can be tried: a name that no resolver takes is a mistake in the plan."""
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return text.isprintable() and " " not in text


Url = Annotated[
    str,
    Field(max_length=2048),
    AfterValidator(_fixed_host),
    Expected("http://HOST/PATH or https://HOST/PATH"),
]
"""Its host is fixed: no variable can send a request elsewhere."""

Headers = dict[
    HeaderName,
    Annotated[str, Field(max_length=1024, pattern=r"^[^\r\n]*$"), Expected("a text of one line")],
]


def request(
    scene: Scene,
    *,
    method: Literal["GET", "POST", "PUT"],
    url: str,
    headers: Mapping[str, str],
    body: Mapping[str, str] | None,
    timeout_s: float,
) -> HttpRequest:
    """A request with all variables filled in; in the URL their values are escaped.

    Raises `StepFailedError` when a value would lead to another path.
    """
    filled_in = scene.text(url, lambda value: quote(value, safe=""))
    if _dot_segments(filled_in) != _dot_segments(url):
        raise StepFailedError("error", "the value of a variable would change the path of the URL")
    return HttpRequest(
        method=method,
        url=filled_in,
        headers={name: scene.text(value, _one_line) for name, value in headers.items()},
        body=None if body is None else {name: scene.text(value) for name, value in body.items()},
        timeout_s=timeout_s,
    )


def _dot_segments(url: str) -> int:
    """Parts of the path that lead elsewhere (RFC 3986 section 5.2.4); no escape keeps them from that."""
    return sum(part in (".", "..") for part in urlsplit(url).path.split("/"))


def _one_line(value: str) -> str:
    return "".join(char for char in value if char.isprintable())


class HttpStep(FailingStep):
    """Ask a service for a JSON object and take variables from it."""

    word: ClassVar[str] = "http"
    shorthand: ClassVar[str] = "url"
    fails: ClassVar[tuple[FailureKind, ...]] = ("timeout", "error")

    url: Url
    """May hold ${variables} in path and query."""
    method: Literal["GET", "POST", "PUT"] = "GET"
    """HTTP method."""
    headers: Headers = Field(default_factory=dict, max_length=20)
    """Headers of the request."""
    body: dict[str, Value] | None = None
    """Sent as a JSON object."""
    timeout: Annotated[Seconds, at_most(30, "30s")] = 3.0
    """The caller hears nothing meanwhile."""
    set: dict[VariableName, AnyText] = Field(default_factory=dict)
    """Variable to where its value stands in the answer, as customer.name; what is missing is empty."""

    def assigns(self) -> Iterator[str]:
        """As `Step` says."""
        yield from self.set

    def describe(self) -> str:
        """As `Step` says."""
        return f"{self.method} {self.url}" + (f" sets {', '.join(self.set)}" if self.set else "")

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        reply = await call.http(
            request(
                scene,
                method=self.method,
                url=self.url,
                headers=self.headers,
                body=self.body,
                timeout_s=self.timeout,
            )
        )
        for name, where in self.set.items():
            call.variables[name] = _value_at(reply.body, where)
        return None


def _value_at(body: Mapping[str, object], where: str) -> str:
    """What stands at `customer.orders.0.id` as a text; empty when nothing plain does."""
    value: object = body
    for part in where.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part[:6]) < len(value):
            value = value[int(part[:6])]
        else:
            return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        return ""
    # JSON may escape half a character (RFC 8259 section 8.2), which nothing can send or speak.
    return str(value)[:MAX_VALUE_CHARS].encode("utf-8", "replace").decode()
