"""Which audio format a Realtime session speaks and hears, while it may change. Pure.

    steady --want--> (no answer is being made) --ask--> asked --updated--> steady in the new format
                                                          `----refused--> steady in the old one, for good

A service refuses by an error, or by taking the update and naming its old format. Since it answers in order,
its word about what was asked before is not taken for that.

The service is asked only while it makes no answer: whether one that has begun goes on in its old format the
protocol does not say, and here it is taken to. An answer that begins between the question and the service's
word was begun in the old format. What the caller says is in the new one from the question on, since the
service reads in order.
"""

from typing import Final

from gateway.core.audio import WireFormat

_REMEMBERED: Final = 8
"""Answers in an old format."""


class RealtimeFormats:
    """Of one session."""

    def __init__(self, wide: WireFormat, narrow: WireFormat, *, begin_narrow: bool = False) -> None:
        """The same format twice: it never changes."""
        self._wide, self._narrow = wide, narrow
        self._spoken = self._wanted = narrow if begin_narrow else wide
        self._asked: WireFormat | None = None
        self._refused = wide is narrow
        self._ahead = self._behind = 0
        """Other updates of the session without an answer: asked for before the format, and after."""
        self._older: dict[str, WireFormat] = {}

    @property
    def heard(self) -> WireFormat:
        """What the caller says is sent in it."""
        return self._asked or self._spoken

    def spoken(self, response_id: str) -> WireFormat:
        """An answer's audio comes in it."""
        return self._older.get(response_id, self._spoken)

    def want(self, *, narrow: bool) -> bool:
        """Change as soon as possible; False where that cannot be."""
        if self._refused:
            return False
        self._wanted = self._narrow if narrow else self._wide
        return True

    def ask(self, *, answering: bool) -> WireFormat | None:
        """The format to ask the service for now."""
        if answering or self._refused or self._asked is not None or self._wanted is self._spoken:
            return None
        self._asked = self._wanted
        return self._asked

    def asked_otherwise(self) -> None:
        """The service is asked to change something else of its session."""
        if self._asked is None:
            self._ahead += 1
        else:
            self._behind += 1

    def updated(self, to: WireFormat | None, active_response: str | None) -> None:
        """The service took an update of the session. to: its format, if it says."""
        asked = self._asked
        if asked is None or (self._ahead and to is not asked):
            self._ahead = max(0, self._ahead - 1)
            return
        if to not in (asked, None):
            self.refused()
            return
        if active_response is not None:
            self._older[active_response] = self._spoken
            if len(self._older) > _REMEMBERED:
                del self._older[next(iter(self._older))]
        self._spoken = asked
        self._answered()

    def refused(self) -> None:
        """The service does not want to."""
        self._answered()
        self._wanted = self._spoken
        self._refused = True

    def _answered(self) -> None:
        self._asked = None
        self._ahead, self._behind = self._behind, 0
