"""The API's description of itself, and that the API is what it describes."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.api.sse import EVENT_STREAM_TYPE
from gateway.core.termination import Reason
from tests.integration.api.rig import OFFER, SDP, Rig

NOBODY = "call_00000000000000000000"

BODIES: dict[str, dict[str, Any]] = {
    "createCall": {"data": OFFER.encode(), "headers": SDP},
    "publishByWhip": {"data": OFFER.encode(), "headers": SDP},
    "acceptCall": {"json": {"type": "realtime", "model": "gpt-realtime"}},
    "rejectCall": {"json": {"status_code": 486}},
    "referCall": {"json": {"target_uri": "tel:+4930555"}},
    "playOnCall": {"json": {"prompt": "welcome"}},
    "sayOnCall": {"json": {"text": "Hello."}},
    "whisperOnCall": {"json": {"to": "caller", "text": "Hello."}},
    "dtmfOnCall": {"json": {"digits": "12#"}},
    "holdOnCall": {"json": {"held": True}},
    "muteOnCall": {"json": {"party": "caller", "muted": True}},
    "bridgeOnCall": {"json": {"to": "webrtc:olivia", "ai": "listen"}},
    "dropOnCall": {"json": {"party": "caller"}},
    "agentOnCall": {"json": {"ai": "listen"}},
    "recordOnCall": {"json": {"action": "start"}},
    "createClientSecret": {"json": {"session": {"type": "realtime", "agent": "seller", "instructions": "x"}}},
}
"""What an operation is sent, if it wants anything."""

NOT_ON_AN_ORDINARY_CALL = {"acceptCall", "rejectCall", "referCall", "bridgeOnCall", "dropOnCall"}
"""These need a call that waits, a phone that can be transferred, or a person who is there."""

NOT_PROVIDED = {"patchByWhip"}
"""These say 501 (RFC 9110 section 15.6.2), whatever they are asked."""

QUERIES = {"createCall": "?to=seller"}


async def _document(rig: Rig) -> dict[str, Any]:
    async with rig.send("GET", "/v1/openapi.json") as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        document: dict[str, Any] = await response.json()
        return document


def _operations(document: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def _check(
    document: Mapping[str, Any], operation: Mapping[str, Any], response: aiohttp.ClientResponse
) -> None:
    """The answer is one that the document promises."""
    described = operation["responses"].get(str(response.status))
    assert described is not None, f"{operation['operationId']} answered {response.status}"
    for name in described.get("headers", {}):
        assert name in response.headers
    content = described.get("content", {})
    if response.content_type == EVENT_STREAM_TYPE:
        # It has no end to wait for.
        assert response.content_type in content
        return
    body = await response.read()
    if not content:
        assert body == b""
        return
    schema = content[response.content_type]["schema"]
    if "json" in response.content_type:
        whole = {**schema, "components": document["components"]}
        validator = OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER)
        validator.validate(await response.json(content_type=None))


async def test_the_document_is_openapi(rig: Rig) -> None:
    document = await _document(rig)
    OpenAPIV31SpecValidator(document).validate()
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(names) == len(set(names)) >= 12


async def _end_all(rig: Rig) -> None:
    for call in rig.service.calls:
        call.end(Reason.ADMIN_HANGUP)
        await rig.record()


async def _ask(rig: Rig, document: Mapping[str, Any], operation_id: str, call_id: str, secret_id: str) -> int:
    """Do it; the answer has to be one that the document promises."""
    method, path, operation = next(
        each for each in _operations(document) if each[2]["operationId"] == operation_id
    )
    address = path.format(call_id=call_id, secret_id=secret_id, to="seller") + QUERIES.get(operation_id, "")
    async with rig.send(method, address, **BODIES.get(operation_id, {})) as response:
        await _check(document, operation, response)
        return response.status


async def test_every_operation_answers_as_described(rig: Rig) -> None:
    """Each once for what does not exist, and once for a call that lives."""
    document = await _document(rig)
    for _, path, operation in _operations(document):
        name = operation["operationId"]
        status = await _ask(rig, document, name, NOBODY, "cs_0")
        assert (status == 404) == ("_id}" in path and name not in NOT_PROVIDED), name
        await _end_all(rig)
    for _, _, operation in _operations(document):
        name = operation["operationId"]
        live = (await rig.place()).rsplit("/", 1)[1]
        await rig.backends[-1].until_told("greet")
        secret = await rig.secret(agent="seller")
        status = await _ask(rig, document, name, live, secret["id"])
        if name in NOT_PROVIDED:
            assert status == 501, name
        else:
            assert status in (403, 409) if name in NOT_ON_AN_ORDINARY_CALL else status < 300, name
        await _end_all(rig)


async def test_an_ended_call_is_as_described_too(rig: Rig) -> None:
    document = await _document(rig)
    location = await rig.place()
    async with rig.send("DELETE", location):
        pass
    call_id = (await rig.record()).id
    await rig.service.stop(Reason.DRAINED, 5.0)
    for path, address in (("/v1/calls/{call_id}", f"/v1/calls/{call_id}"), ("/v1/calls", "/v1/calls")):
        async with rig.send("GET", address) as response:
            assert response.status == 200
            await _check(document, document["paths"][path]["get"], response)


async def test_bodies_that_are_not_as_described(rig: Rig) -> None:
    path = "/v1/realtime/client_secrets"
    async with rig.send("POST", path, json={"expires_after": {"seconds": 1}}) as response:
        assert response.status == 400
        assert (await response.json(content_type=None))["param"] == "expires_after.seconds"
    async with rig.send("POST", path, data=b"{}", headers={"Content-Type": "text/plain"}) as response:
        assert response.status == 415
    async with rig.send("POST", path, data=b"{", headers={"Content-Type": "application/json"}) as response:
        assert response.status == 400


async def test_every_address_but_the_pages_own_is_described(rig: Rig) -> None:
    """What the phone page and its people use between themselves is not for others."""
    described = {(method, path) for method, path, _ in _operations(await _document(rig))}
    served = {
        (route.method, route.resource.canonical)
        for route in rig.server.routes
        if route.resource is not None and route.method != "HEAD"
    }
    own = {each for each in served if each[1].startswith(("/phone", "/v1/people/"))}
    assert described == served - own - {("GET", path) for path in ("/healthz", "/readyz", "/metrics")}


class _Page(HTMLParser):
    """Finds what a browser would load, and what a reader would follow."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name == "href" and value]
        self.headings += [tag] if re.fullmatch(r"h[1-6]", tag) else []


async def test_the_page_stands_alone_and_leads_everywhere(rig: Rig) -> None:
    document = await _document(rig)
    async with rig.send("GET", "/v1/docs") as response:
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        text = await response.text()
    page = _Page()
    page.feed(text)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.tags.isdisjoint({"script", "img", "link", "iframe", "form"})
    assert len(page.ids) == len(set(page.ids))
    assert [link for link in page.links if link.startswith("#") and link[1:] not in page.ids] == []
    assert [link for link in page.links if not link.startswith("#")] == ["openapi.json"]
    assert page.headings[0] == "h1"
    assert all(int(b[1]) - int(a[1]) <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    for _, _, operation in _operations(document):
        assert f"#{operation['operationId']}" in page.links


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/v1/docs"])
async def test_the_description_needs_no_key(rig: Rig, path: str) -> None:
    await rig.key("admin")
    async with rig.send("GET", path) as response:
        assert response.status == 200


async def test_every_other_operation_needs_one(rig: Rig) -> None:
    """By the table itself, so that no later operation is forgotten."""
    await rig.key("admin")
    reader = await rig.key("read")
    for method, path, operation in _operations(await _document(rig)):
        if not operation["security"]:
            continue
        address = path.format(call_id=NOBODY, secret_id="cs_0", to="seller")
        more = BODIES.get(operation["operationId"], {})
        async with rig.send(method, address, **more) as response:
            assert response.status == 401, operation["operationId"]
        may_read = "the role read" in operation["description"]
        async with rig.send(method, address, key=reader, **more) as response:
            assert (response.status == 403) == (not may_read), operation["operationId"]
