"""How a client says in an address whom it wants."""

from typing import Annotated, Final

from msgspec import Meta

from gateway.api.operations import Parameter
from gateway.api.wishes import MAX_TARGET_CHARS

_NAME = Annotated[str, Meta(max_length=MAX_TARGET_CHARS)]

TARGET_PARAMETERS: Final = (
    Parameter("to", "A number of the dialplan, or an agent; comes before what the session says.", _NAME),
    Parameter("agent", "An agent.", _NAME),
    Parameter("model", "An agent, or one more number of the dialplan.", _NAME),
)
