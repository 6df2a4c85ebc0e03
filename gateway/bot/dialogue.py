"""The dialogue engine: what was understood goes in, what to say and do comes out. Pure.

States and transitions are the dialogue file's; three things are built in:

- *confirm*: an action with a question waits for yes or no before it goes on;
- *misses*: what is not understood is asked again in other words, until `give_up`;
- *what was heard*: a question that the caller cut short is asked again with the next answer, and
  not understanding the caller who cut it short is no miss.
"""

import json
from dataclasses import dataclass, field
from typing import Final

from gateway.bot.dialogue_file import Action, DialogueFile, State, sentences

CONFIRM_GRAMMAR: Final = "confirm"
_STATE_GRAMMAR: Final = "state "


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function of the gateway that shall be called."""

    name: str
    arguments: str
    """JSON object."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot does next: it says the sentences, then calls the function."""

    say: tuple[str, ...] = ()
    call: ToolCall | None = None


@dataclass(slots=True)
class _Memory:
    """What the bot remembers of a conversation."""

    state: str
    greeted: bool = False
    misses: int = 0
    confirming: Action | None = None
    pending: Action | None = None
    """Action whose function has been called and has not answered."""
    last: tuple[str, ...] = field(default_factory=tuple)
    """Sentences said last."""
    question_heard: bool = True


class Conversation:
    """One caller's way through a dialogue."""

    def __init__(self, dialogue: DialogueFile) -> None:
        self._dialogue = dialogue
        self._memory = _Memory(dialogue.start)

    @property
    def grammar(self) -> str:
        """Name of the grammar to listen with now; see `grammars`."""
        return CONFIRM_GRAMMAR if self._memory.confirming else _STATE_GRAMMAR + self._memory.state

    @property
    def greeted(self) -> bool:
        """Whether the conversation has been opened."""
        return self._memory.greeted

    def greet(self) -> Reply:
        """Open the conversation."""
        self._memory.greeted = True
        return self._reply([*self._dialogue.greeting, self._state.ask])

    def ask(self) -> Reply:
        """Ask where the conversation stands; greets if nothing was said yet."""
        if not self._memory.greeted:
            return self.greet()
        return self._reply([self._question])

    def heard(self, text: str) -> Reply:
        """The caller said `text`; empty when it was not understood."""
        self._memory.greeted = True
        intent = self._intent_of(text)
        return self._missed() if intent is None else self._understood(intent)

    def pressed(self, key: str) -> Reply:
        """The caller pressed a key of the phone."""
        self._memory.greeted = True
        intent = self._intent_of_key(key)
        return self._missed() if intent is None else self._understood(intent)

    def tool_answered(self, output: str) -> Reply:
        """The function called last has returned `output`, a JSON object with `error` if it failed."""
        action, self._memory.pending = self._memory.pending, None
        if action is None:
            return Reply()
        if _failed(output):
            return self._go(action.goto, list(action.if_failed))
        self._memory.state = action.goto or self._memory.state
        return Reply()

    def overheard(self, sentences_heard: int) -> None:
        """The caller cut the bot short after so many whole sentences of its last reply."""
        if sentences_heard < len(self._memory.last):
            self._memory.question_heard = False

    # ---- inside -------------------------------------------------------------------------------

    @property
    def _state(self) -> State:
        return self._dialogue.states[self._memory.state]

    @property
    def _question(self) -> str:
        confirming = self._memory.confirming
        return confirming.confirm if confirming and confirming.confirm else self._state.ask

    def _open(self) -> list[str]:
        """Intents understood now, the state's own first."""
        if self._memory.confirming:
            confirmation = self._dialogue.confirmation
            return [confirmation.agree, confirmation.refuse, *self._dialogue.always]
        own = list(self._state.intents)
        return own + [name for name in self._dialogue.always if name not in own]

    def _intent_of_key(self, key: str) -> str | None:
        if self._memory.confirming:
            confirmation = self._dialogue.confirmation
            if key == confirmation.agree_key:
                return confirmation.agree
            if key == confirmation.refuse_key:
                return confirmation.refuse
        return next((name for name in self._open() if self._dialogue.intents[name].key == key), None)

    def _intent_of(self, text: str) -> str | None:
        """The open intent with the longest phrase in `text`."""
        words = (
            f" {' '.join(''.join(c if c.isalpha() or c == chr(39) else ' ' for c in text.lower()).split())} "
        )
        found = [
            (len(phrase), name)
            for name in self._open()
            for phrase in self._dialogue.intents[name].phrases
            if f" {phrase} " in words
        ]
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def _understood(self, intent: str) -> Reply:
        memory, confirmation = self._memory, self._dialogue.confirmation
        memory.misses = 0
        confirming, memory.confirming = memory.confirming, None
        if confirming is not None and intent == confirmation.agree:
            return self._act(confirming)
        if confirming is not None and intent == confirmation.refuse:
            return self._reply([*confirmation.refused, self._state.ask])
        action = self._state.intents.get(intent) or self._dialogue.always[intent]
        if action.confirm:
            memory.confirming = action
            return self._reply([action.confirm])
        if action.goto is None and action.call is None:
            # An aside, such as a call for help: the open question stays open.
            memory.confirming = confirming
            return self._aside(action)
        return self._act(action)

    def _aside(self, action: Action) -> Reply:
        if action.repeat:
            return self._reply([*action.say, *(self._memory.last or (self._question,))])
        return self._reply([*action.say, *([] if self._memory.question_heard else [self._question])])

    def _act(self, action: Action) -> Reply:
        if action.call is None:
            return self._go(action.goto, list(action.say))
        self._memory.pending = action
        reply = self._reply(list(action.say))
        return Reply(reply.say, ToolCall(action.call, json.dumps(action.arguments)))

    def _go(self, state: str | None, say: list[str]) -> Reply:
        if state is not None:
            self._memory.state = state
        self._memory.misses = 0
        return self._reply([*say, self._state.ask])

    def _missed(self) -> Reply:
        memory = self._memory
        if not memory.question_heard:
            return self._reply([self._question])
        memory.misses += 1
        give_up = self._dialogue.give_up
        if give_up is not None and memory.misses >= give_up.after:
            memory.misses = 0
            memory.confirming = None
            return self._act(give_up.action)
        again = self._state.again if memory.confirming is None else []
        if not again:
            return self._reply([self._question])
        return self._reply([again[min(memory.misses, len(again)) - 1]])

    def _reply(self, texts: list[str]) -> Reply:
        said = sentences(texts)
        self._memory.last = said
        self._memory.question_heard = True
        return Reply(said)


def _failed(output: str) -> bool:
    try:
        result = json.loads(output)
    except ValueError:
        return False
    return isinstance(result, dict) and (bool(result.get("error")) or result.get("ok") is False)


def grammars(dialogue: DialogueFile) -> dict[str, list[str]]:
    """Phrases to listen for, by the names that `Conversation.grammar` gives."""

    def phrases(intents: list[str]) -> list[str]:
        return [phrase for name in dict.fromkeys(intents) for phrase in dialogue.intents[name].phrases]

    always = list(dialogue.always)
    found = {
        _STATE_GRAMMAR + name: phrases([*state.intents, *always]) for name, state in dialogue.states.items()
    }
    if any(action.confirm for _, action in dialogue.actions()):
        confirmation = dialogue.confirmation
        found[CONFIRM_GRAMMAR] = phrases([confirmation.agree, confirmation.refuse, *always])
    return found


def fixed_sentences(dialogue: DialogueFile) -> list[str]:
    """Everything the bot can say, the greeting first, so that it can be synthesised ahead."""
    first = dialogue.states[dialogue.start]
    texts: list[str] = [*dialogue.greeting, first.ask]
    for state in dialogue.states.values():
        texts += [state.ask, *state.again]
    texts += dialogue.confirmation.refused
    for _, action in dialogue.actions():
        texts += [*([action.confirm] if action.confirm else []), *action.say, *action.if_failed]
    return list(dict.fromkeys(sentences(texts)))
