"""The ways to write one telephone number, so that a pattern needs only one of them."""

import re
from typing import Final

import phonenumbers

_MAX_CHARS: Final = 40
_NUMBER: Final = re.compile(r"\+?\(?[0-9][0-9 ()./-]*")
_PUNCTUATION: Final = re.compile(r"[ ()./-]")


def forms(number: str, region: str = "") -> tuple[str, ...]:
    """The number as it was dialled and, where it is one, in E.164 (ITU-T).

    region: ISO 3166 country whose national way of writing the number uses; empty if unknown. A name
    such as `demo` or a short extension has one form only. Never raises.
    """
    if len(number) > _MAX_CHARS or not number.isascii() or not _NUMBER.fullmatch(number):
        return (number,)
    plain = _PUNCTUATION.sub("", number)
    full = plain if plain.startswith("+") else _international(plain, region)
    return tuple(dict.fromkeys(form for form in (number, plain, full) if form))


def is_region(region: str) -> bool:
    """Whether national numbers of this country are understood."""
    return region in phonenumbers.SUPPORTED_REGIONS


def _international(plain: str, region: str) -> str:
    if plain.startswith("00") and not region:
        return "+" + plain[2:]
    try:
        parsed = phonenumbers.parse(plain, region or None)
    except phonenumbers.NumberParseException:
        return ""
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return ""
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
