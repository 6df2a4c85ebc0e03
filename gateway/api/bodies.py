"""Reading request bodies: never more than a limit, never longer than a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http import HttpProcessingError

from gateway.api.problems import ProblemError

BODY_TIMEOUT_S: Final = 10.0
_MAX_PARTS: Final = 8


async def read_text(request: web.Request, limit_bytes: int) -> str:
    """The body as UTF-8. Raises `ProblemError` 400, 408 or 413."""
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    body = bytearray()
    async with _in_time():
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > limit_bytes:
                raise _too_large(limit_bytes)
    return _text(body)


async def read_form(request: web.Request, limit_bytes: int) -> dict[str, str]:
    """The fields of a multipart body as texts. Raises `ProblemError` 400, 408 or 413."""
    if (request.content_length or 0) > 2 * limit_bytes:
        raise _too_large(limit_bytes)
    fields: dict[str, str] = {}
    left = limit_bytes
    try:
        async with _in_time():
            reader = await request.multipart()
            for _ in range(_MAX_PARTS):
                part = await reader.next()
                if part is None:
                    return fields
                body = await _read_part(part, left)
                left -= len(body)
                if isinstance(part, BodyPartReader) and part.name:
                    fields[part.name] = _text(body)
    except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as exc:
        raise ProblemError(400, "the body is not multipart/form-data") from exc
    raise ProblemError(400, f"expected at most {_MAX_PARTS - 1} parts")


async def _read_part(part: BodyPartReader | MultipartReader, limit_bytes: int) -> bytes:
    if not isinstance(part, BodyPartReader):
        raise ProblemError(400, "a multipart body within a multipart body")
    body = bytearray()
    while chunk := await part.read_chunk():
        body += chunk
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
    return bytes(body)


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """A body that does not come, or breaks off."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            yield
    except TimeoutError as exc:
        raise ProblemError(408, "the body did not come in time") from exc
    except (web.RequestPayloadError, ConnectionError) as exc:
        raise ProblemError(400, "the body broke off") from exc


def _text(body: bytes | bytearray) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as exc:
        raise ProblemError(400, "the body is not UTF-8") from exc


def _too_large(limit_bytes: int) -> ProblemError:
    return ProblemError(413, f"the body has more than {limit_bytes} bytes")
