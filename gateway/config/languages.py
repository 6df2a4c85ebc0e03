"""How languages are named in files and requests."""

from typing import Annotated, Final

from pydantic import Field

from gateway.config.section import Expected

LANGUAGE_CODE: Final = r"^[a-z]{2}(-[A-Z]{2})?$"
"""ISO 639-1, with a country of ISO 3166-1 where that matters (RFC 5646)."""

LanguageCode = Annotated[str, Field(pattern=LANGUAGE_CODE), Expected("a language code such as en or pt-BR")]
