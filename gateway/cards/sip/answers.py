"""Which answers with SDP PJSIP may see of a call that we place. Pure.

PJSIP aborts when SDP comes after some that could not be negotiated, be it in a provisional answer, in
one of another branch of a forked call, or in the final one that crosses our CANCEL. So what comes
after a failure is kept away; and of several provisional answers only the first may bring SDP.
"""


class AnswerWatch:
    """One call, from its INVITE to its answer."""

    def __init__(self) -> None:
        self._last: tuple[bytes, bytes] | None = None
        self._agreed = 0

    def passes(self, to_tag: bytes, sdp: bytes, *, provisional: bool, agreed: int) -> bool:
        """Whether this answer may come through.

        agreed: how often offer and answer have been agreed on in this call so far.
        """
        answer = to_tag, sdp
        if self._last is not None and agreed == self._agreed:
            return False  # the last one failed
        if answer == self._last:
            return True  # a repetition, which PJSIP passes over
        if self._last is not None and provisional:
            return False
        self._last, self._agreed = answer, agreed
        return True
