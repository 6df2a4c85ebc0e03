"""`webhook`: tell a service about the call without waiting for it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gateway.dialplan.language.words import Seconds, Value, at_most
from gateway.dialplan.runtime import CallControl, StepFailedError
from gateway.dialplan.step import Outcome, Scene, Step
from gateway.dialplan.steps.http import Headers, Url, request


class WebhookStep(Step):
    """Send a request and go on at once; whether it arrives changes nothing."""

    word: ClassVar[str] = "webhook"
    shorthand: ClassVar[str] = "url"

    url: Url
    """May hold ${variables} in path and query."""
    method: Literal["POST", "PUT"] = "POST"
    """HTTP method."""
    headers: Headers = Field(default_factory=dict, max_length=20)
    """Headers of the request."""
    body: dict[str, Value] = Field(default_factory=dict)
    """Sent as a JSON object; default: from, to, route."""
    timeout: Annotated[Seconds, at_most(30, "30s")] = 5.0
    """How long the service may take."""

    def describe(self) -> str:
        """As `Step` says."""
        return f"{self.method} {self.url}"

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        body = self.body or {name: f"${{{name}}}" for name in ("from", "to", "route")}
        try:
            told = request(
                scene,
                method=self.method,
                url=self.url,
                headers=self.headers,
                body=body,
                timeout_s=self.timeout,
            )
        except StepFailedError as failure:
            call.note("webhook not sent", reason=str(failure))
        else:
            call.notify(told)
        return None
