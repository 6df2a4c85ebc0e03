"""The base of the control messages between the core and a card."""

import msgspec


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True, omit_defaults=False, gc=False):
    """An array on the wire, its name first; new fields go to the end and have defaults."""
