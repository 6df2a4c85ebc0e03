"""The configuration of interruptions: who decides, what happens, and what does not count."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.config.section import NO_TRUTH_VALUE, Section

DecidedBy = Literal["gateway", "backend", "both"]
BargeInAction = Literal["flush", "pause", "notify"]


class BargeInConfig(Section):
    """What happens when the caller speaks while the agent does."""

    by: DecidedBy = "both"
    """gateway: what is heard on the caller's line · backend: the AI service's word alone · both: whoever
    hears the caller first stops the agent."""
    action: BargeInAction = "pause"
    """pause: stop at once, go on where it stopped if it was only "mm-hm" or a noise · flush: stop for good,
    once it is sure to be speech · notify: never stop, only note it."""
    min_words_ms: Annotated[int, Field(ge=100, le=2000), NO_TRUTH_VALUE] = 600
    """With pause: speech shorter than this does not take the word; up to 600 ms after the pause."""
    protect_first_ms: Annotated[int, Field(ge=0, le=30000), NO_TRUTH_VALUE] = 0
    """So long an answer cannot be interrupted from its beginning, for what a caller must hear."""
