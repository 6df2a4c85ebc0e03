"""The parts the bot can play: a dialogue with its vocabulary, by agent name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.bot.dialogue import fixed_sentences, grammars
from gateway.bot.dialogue_file import DEFAULT_DIALOGUE, DialogueFile, load_dialogue
from gateway.bot.grammar import Carriers
from gateway.bot.listen import Vocabulary, pronunciations
from gateway.config.models import BotAgent, GatewayConfig
from gateway.media.speech import Synthesiser


@dataclass(frozen=True, slots=True)
class Part:
    """One dialogue, ready to be played."""

    dialogue: DialogueFile
    vocabulary: Vocabulary

    async def rehearse(
        self, synthesiser: Synthesiser, rates_hz: tuple[int, ...], *, only_first: int = 0
    ) -> None:
        """Synthesise what will be said, all of it or the first sentences. Raises `SpeechError`."""
        sentences = fixed_sentences(self.dialogue)
        for sentence in sentences[: only_first or len(sentences)]:
            for rate_hz in rates_hz:
                await synthesiser.speak(sentence, self.dialogue.language, rate_hz)


class Cast:
    """Parts by agent name."""

    def __init__(self, parts: Mapping[str, Part], default: Part | None) -> None:
        """default: what unknown names get; None: they are refused."""
        self.parts = dict(parts)
        self._default = default

    def part(self, name: str) -> Part | None:
        """The part of an agent."""
        return self.parts.get(name, self._default)

    def all(self) -> list[Part]:
        """Every part once."""
        found = [*self.parts.values(), *([self._default] if self._default is not None else [])]
        return list({id(part): part for part in found}.values())


def load_part(path: Path) -> Part:
    """A part from its dialogue file. Raises `ConfigError`."""
    known = pronunciations()
    dialogue = load_dialogue(path, known.__contains__)
    words = Carriers(tuple(dialogue.carriers.before), tuple(dialogue.carriers.after))
    return Part(dialogue, Vocabulary(grammars(dialogue), words))


def cast_for(config: GatewayConfig) -> Cast:
    """The parts of all agents that the bot plays. Raises `ConfigError`."""
    by_path: dict[Path, Part] = {}
    parts: dict[str, Part] = {}
    for name, agent in config.agents.items():
        if isinstance(agent, BotAgent):
            path = agent.dialogue or DEFAULT_DIALOGUE
            if path not in by_path:
                by_path[path] = load_part(path)
            parts[name] = by_path[path]
    return Cast(parts, None)
