"""The API described by itself.

GET /v1/openapi.json   OpenAPI 3.1, for programs
GET /v1/docs           the same for people: one page without scripts and without anything from elsewhere
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.api.access import Client
from gateway.api.docs_page import STYLE, page
from gateway.api.openapi import document
from gateway.api.operations import JSON_TYPE, Gives, Operation

_STYLE_HASH: Final = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
_PAGE_HEADERS: Final = _HEADERS | {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


class Documents:
    """The resource. Both texts are made once; `describe` gives it the operations, its own among them."""

    def __init__(self) -> None:
        self._json = b""
        self._page = b""

    def describe(self, operations: Sequence[Operation], version: str) -> None:
        """Make the texts."""
        made: dict[str, Any] = document(operations, version)
        self._json = msgspec.json.encode(made)
        self._page = page(made).encode()

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        return [
            Operation(
                id="getOpenApi",
                method="GET",
                path="/v1/openapi.json",
                group="Documents",
                summary="This document",
                needs="nobody",
                act=self._show_json,
                gives=[Gives(200, "OpenAPI 3.1.", dict[str, Any])],
            ),
            Operation(
                id="getDocs",
                method="GET",
                path="/v1/docs",
                group="Documents",
                summary="This document as a page",
                needs="nobody",
                act=self._show_page,
                gives=[Gives(200, "HTML.", media_type="text/html")],
            ),
        ]

    async def _show_json(self, _request: web.Request, _client: Client) -> web.Response:
        return web.Response(body=self._json, content_type=JSON_TYPE, headers=_HEADERS)

    async def _show_page(self, _request: web.Request, _client: Client) -> web.Response:
        return web.Response(body=self._page, content_type="text/html", charset="utf-8", headers=_PAGE_HEADERS)
