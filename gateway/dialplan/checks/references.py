"""Words in steps that must exist elsewhere: agents, flows, prompts, files, targets, variables."""

from collections.abc import Iterable, Iterator

from gateway.config.document import Document, KeyPath
from gateway.config.problems import Problem, show
from gateway.config.validate import nearest
from gateway.core.targets import PersonTarget, Target, TargetError, allowed, names_one, parse_target
from gateway.dialplan.block import PlacedStep, all_steps
from gateway.dialplan.language.variables import BUILT_IN, REFERENCE, names_in
from gateway.dialplan.parts import Parts
from gateway.dialplan.sources import Sources
from gateway.dialplan.step import Reference
from gateway.dialplan.surroundings import Surroundings
from gateway.media.sounds import WAV_EXPECTED


def check_references(parts: Parts, sources: Sources, surroundings: Surroundings) -> list[Problem]:
    """Every word that leads nowhere."""
    checker = _Checker(parts, sources, surroundings)
    problems: list[Problem] = []
    for block in parts.blocks:
        for placed in all_steps(block):
            for reference in placed.step.references():
                problems += checker.problems(placed, reference)
    for name, named in parts.prompts.items():
        if named.entry.file and (wrong := sources.unplayable(named.entry.file)):
            path = ("prompts", name, "file")
            problems.append(named.document.problem(path, found=wrong, expected=WAV_EXPECTED))
    return [*problems, *_trunks(parts, surroundings), *_variables(parts, surroundings)]


class _Checker:
    """Looks words up."""

    def __init__(self, parts: Parts, sources: Sources, surroundings: Surroundings) -> None:
        self._prompts = tuple(parts.prompts)
        self._flows = tuple(parts.flows)
        self._sources = sources
        self._surroundings = surroundings
        self._doubts = parts.doubts
        self._split_words = {
            word for named in parts.routes for word in (named.entry.split or {}) if named.entry.split
        }

    def problems(self, placed: PlacedStep, reference: Reference) -> Iterator[Problem]:
        """What is wrong with one word."""
        word = reference.word
        path = _place(placed, reference)
        match reference.kind:
            case "prompt" if not self._doubts.may_exist("prompts", word):
                yield from self._unknown(placed.document, path, word, self._prompts, "a prompt")
            case "flow" if not self._doubts.may_exist("flows", word):
                yield from self._unknown(placed.document, path, word, self._flows, "a flow")
            case "agent" if self._surroundings.agents:
                yield from self._agent(placed.document, path, word)
            case "file":
                if wrong := self._sources.unplayable(word):
                    yield placed.document.problem(path, found=wrong, expected=WAV_EXPECTED)
            case "target":
                yield from self._target(placed.document, path, word, exact="${" not in word)
            case "targets" if not word.endswith("*"):
                yield from self._target(placed.document, path, word, exact=names_one(word))
            case _:
                return

    def _agent(self, document: Document, path: KeyPath, word: str) -> Iterator[Problem]:
        agents = self._surroundings.agents
        if "${" not in word:
            yield from self._unknown(document, path, word, agents, "an agent of the configuration")
        elif word == "${split}":
            for name in sorted(self._split_words - set(agents)):
                expected = f"an agent of the configuration ({', '.join(agents)})"
                hint = nearest(name, agents)
                yield document.problem(path, found=f"${{split}} = {name}", expected=expected, hint=hint)
            if not self._split_words:
                yield document.problem(path, found="${split}", expected="a route with split: {AGENT: WEIGHT}")

    def _unknown(
        self, document: Document, path: KeyPath, word: str, known: Iterable[str], what: str
    ) -> Iterator[Problem]:
        known = tuple(known)
        if word not in known:
            expected = f"{what} ({', '.join(known) or 'there is none'})"
            yield document.problem(path, found=show(word), expected=expected, hint=nearest(word, known))

    def _target(self, document: Document, path: KeyPath, word: str, *, exact: bool) -> Iterator[Problem]:
        """exact: all of the user is known."""
        try:
            target = parse_target(REFERENCE.sub("0", word))
        except TargetError:
            expected = "sip:USER@TRUNK, NUMBER@TRUNK, tel:+NUMBER or webrtc:NAME"
            yield document.problem(path, found=show(word), expected=expected)
            return
        if wrong := self._unreachable(target, exact):
            found, expected, hint = wrong
            yield document.problem(path, found=found, expected=expected, hint=hint)

    def _unreachable(self, target: Target, exact: bool) -> tuple[str, str, str] | None:
        users, trunks = self._surroundings.users, self._surroundings.trunks
        if isinstance(target, PersonTarget):
            if users is None or not exact or target.user in users:
                return None
            expected = f"a person of the configuration ({', '.join(users) or 'there is none'})"
            return show(target.user), expected, nearest(target.user, users)
        if trunks is None:
            return None
        if target.trunk is not None and target.trunk not in trunks:
            expected = f"a trunk of the configuration ({', '.join(trunks) or 'there is none'})"
            return show(target.trunk), expected, nearest(target.trunk, trunks)
        names = tuple(trunks) if target.trunk is None else (target.trunk,)
        if not exact or any(allowed(target.user, trunks[name].allow) for name in names):
            return None
        where = f"trunks.{target.trunk}.allow" if target.trunk else "allow of a trunk"
        return show(target.user), f"a user that {where} of the configuration names", ""


def _place(placed: PlacedStep, reference: Reference) -> KeyPath:
    """Where the word stands: a step's only value may be written without the name of its field."""
    whole = (*placed.value_path, *reference.path)
    short = (*placed.value_path, *reference.path[1:])
    while whole not in placed.document.values and short not in placed.document.values:
        short = short[:-1]
    return whole if whole in placed.document.values else short


def _trunks(parts: Parts, surroundings: Surroundings) -> Iterator[Problem]:
    known = surroundings.trunks
    if known is None:
        return
    expected = f"a trunk of the configuration ({', '.join(known) or 'there is none'})"
    for named in parts.routes:
        for index, name in enumerate(named.entry.match.trunk or ()):
            if name not in known:
                path: KeyPath = (*named.path, "match", "trunk", index)
                hint = nearest(name, known)
                yield named.document.problem(path, found=show(name), expected=expected, hint=hint)


def _variables(parts: Parts, surroundings: Surroundings) -> Iterator[Problem]:
    known = {*BUILT_IN, *surroundings.variables}
    for file in parts.files:
        known.update(file.variables)
    for block in parts.blocks:
        for placed in all_steps(block):
            known.update(placed.step.assigns())
    listed, doubts = ", ".join(sorted(known)), parts.doubts
    for document in parts.documents:
        for path, text in document.texts.items():
            if "${" not in text:
                continue
            for name in names_in(text):
                if name not in known and not doubts.steps and not doubts.may_exist("variables", name):
                    found = f"${{{name}}}"
                    expected = f"one of {listed}"
                    yield document.problem(path, found=found, expected=expected, hint=nearest(name, known))
            if text.count("${") != len(REFERENCE.findall(text)):
                yield document.problem(path, found=show(text), expected="a variable as ${name}")
