"""The scripts that ship, by name: what a call of each does."""

from collections.abc import Callable
from typing import Final

from gateway.rehearse.clips import FAREWELL, Wardrobe
from gateway.rehearse.script import Act, Listen, Over, Press, Quiet, Say, Script

NOISY_SNR_DB: Final = 15.0
_SPACING_S: Final = 1.6
"""The agent's speech between two sounds into it: longer than any pause for the one before."""
_OBSERVED_S: Final = 1.5
"""Before the call ends: long enough to see what the last sound did."""
_PER_STORY: Final = 10
"""Sounds that fit into what the bot tells after the key #, and some to spare."""


def everyday(own: Wardrobe) -> Script:
    """A bit of everything: greeting, questions, an interruption, a nod, noise, keys, silence, farewell."""
    acts: tuple[Act, ...] = (
        Over(own.backchannel(), own.between(1.0, 1.5)),
        Over(own.noise(), own.between(1.2, 1.6)),
        Listen(),
        Say(own.question()),
        Over(own.interruption(), own.between(1.0, 1.8)),
        Listen(),
        Say(own.question()),
        Over(own.echo(), own.between(0.6, 1.0)),
        Listen(),
        Press("#"),
        Over(own.keys(), own.between(1.0, 1.4)),
        Over(own.interruption(), own.between(_SPACING_S, 2.2)),
        Listen(),
        Quiet(2.5),
        Say(own.say(FAREWELL)),
        Listen(within_s=5.0),
    )
    return Script("everyday", acts)


def brief(own: Wardrobe) -> Script:
    """The shortest that tells something: a question asked and answered, a noise, three interruptions."""
    acts: tuple[Act, ...] = (
        Over(own.noise(), own.between(1.0, 1.4)),
        Over(own.interruption(), _SPACING_S),
        Over(own.interruption(), own.between(1.0, 1.4)),
        Listen(),
        Say(own.question()),
        Over(own.interruption(), own.between(1.0, 1.4)),
        Quiet(_OBSERVED_S),
    )
    return Script("brief", acts)


def _interrupting(name: str, own: Wardrobe, background: bytes) -> Script:
    acts: list[Act] = []
    for _ in range(5):
        acts.append(Over(own.interruption(), own.between(1.0, 1.8)))
    return Script(name, (*acts, Listen(), Quiet(_OBSERVED_S)), background)


def interruptions(own: Wardrobe) -> Script:
    """Five interruptions on a quiet line."""
    return _interrupting("interruptions", own, b"")


def noisy_interruptions(own: Wardrobe) -> Script:
    """Five interruptions in pink noise, 15 dB below the caller's voice."""
    return _interrupting("noisy-interruptions", own, own.background(NOISY_SNR_DB))


def distractions(own: Wardrobe) -> Script:
    """Five each of nods, noises, keys, echoes and silences into the agent's speech."""
    makers = (own.backchannel, own.noise, own.keys, own.echo, own.nothing)
    clips = own.shuffled([make() for make in makers for _ in range(5)])
    acts: list[Act] = [Listen()]
    for index, clip in enumerate(clips):
        if index % _PER_STORY == 0:
            acts += [Listen(within_s=1.0), Press("#")]
        acts.append(Over(clip, _SPACING_S))
    return Script("distractions", (*acts, Quiet(_OBSERVED_S)))


SCRIPTS: Final[dict[str, Callable[[Wardrobe], Script]]] = {
    "everyday": everyday,
    "brief": brief,
    "interruptions": interruptions,
    "noisy-interruptions": noisy_interruptions,
    "distractions": distractions,
}
"""By the name the command line takes."""
