"""`${NAME}` references to environment variables inside texts. Pure: the environment is passed in."""

import re
from collections.abc import Mapping

from gateway.errors import LocalError

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[^}]*)\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class UnresolvedError(LocalError):
    """A reference that cannot be resolved; the message says what was found, `expected` what would do."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`text` with every `${NAME}` replaced and `$$` turned into `$`; a lone `$` stays.

    Raises `UnresolvedError` for a variable that is not set and for a broken reference.
    """

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["name"]
        if not match[0].endswith("}") or not _NAME.fullmatch(name):
            # Not quoted: the text around it may be a secret that merely contains the two characters.
            raise UnresolvedError(
                "a broken ${ reference",
                "${NAME} with the name of an environment variable, or $${ for a literal ${",
            )
        if name not in environment:
            raise UnresolvedError(f"${{{name}}}", f"the environment variable {name} to be set")
        return environment[name]

    return _REFERENCE.sub(replace, text)


def has_reference(text: str) -> bool:
    """Whether `expand` would put a variable's value into the text."""
    return any(match["escaped"] is None for match in _REFERENCE.finditer(text))
