"""`${name}` in texts of a dialplan: what may be named, and putting the values in."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from gateway.core.variables import BUILT_IN as BUILT_IN
from gateway.core.variables import MAX_VALUE_CHARS as MAX_VALUE_CHARS

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")


def names_in(text: str) -> Iterable[str]:
    """Names that a text refers to, in order; broken ones too."""
    return REFERENCE.findall(text)


def expand(text: str, values: Mapping[str, str], quote: Callable[[str], str] = str) -> str:
    """The text with the values in; a variable that has none is empty.

    quote: applied to every value, not to the text around it.
    """
    return REFERENCE.sub(lambda match: quote(values.get(match[1], "")), text)
