"""From the raw steps of a file to compiled blocks, with every mistake in its place."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.config.document import Document, KeyPath
from gateway.config.problems import Problem, show
from gateway.config.validate import nearest, validate_part
from gateway.dialplan.block import Block, PlacedBranch, PlacedStep
from gateway.dialplan.parts import Doubts, Parts
from gateway.dialplan.step import Step
from gateway.dialplan.steps import STEPS
from gateway.dialplan.steps.goto import GotoStep

CONTINUE: Final = "continue"
"""The action that does nothing: the next step follows."""

BARE: Final = tuple(word for word, step in STEPS.items() if step.bare)
"""Steps that may be written as a word alone."""


class Compiler:
    """Compiles the steps of one file; collects the problems."""

    def __init__(self, document: Document, parts: Parts | None = None) -> None:
        """parts: of the plan, whose flows the steps may name."""
        self._document = document
        self._flows = tuple(parts.flows) if parts is not None else ()
        self._doubts = parts.doubts if parts is not None else Doubts()
        self.problems: list[Problem] = []

    def action(self, raw: object, path: KeyPath) -> Block:
        """A flow's name, a step, or a list of steps."""
        if isinstance(raw, list):
            placed = [self._step(each, (*path, index)) for index, each in enumerate(raw)]
            return tuple(each for each in placed if each is not None)
        if raw == CONTINUE:
            return ()
        one = self._step(raw, path)
        return () if one is None else (one,)

    def _step(self, raw: object, path: KeyPath) -> PlacedStep | None:
        if isinstance(raw, str):
            return self._word(raw, path)
        if isinstance(raw, dict) and len(raw) == 1:
            (word, value), *_ = raw.items()
            if word in STEPS:
                return self._place(STEPS[word], value, path, (*path, word))
            hint = nearest(str(word), STEPS)
            self._problem(
                (*path, word), "an unknown step", f"one of {', '.join(STEPS)}", hint=hint, at_key=True
            )
            return None
        expected = "a flow, or a step such as {play: welcome}"
        if isinstance(raw, dict) and raw:
            found = f"a mapping with {len(raw)} keys"
            self._problem(path, found, f"{expected}, one in each list entry", hint=_put_below(raw))
        else:
            self._problem(path, self._document.found(path, raw), expected)
        return None

    def _word(self, word: str, path: KeyPath) -> PlacedStep | None:
        if word in BARE:
            return self._place(STEPS[word], {}, path, path)
        if word in STEPS:
            self._problem(path, show(word), f"the step with a value, such as {{{word}: …}}")
            return None
        if word not in self._flows and not self._doubts.may_exist("flows", word):
            known = [*BARE, CONTINUE, *self._flows]
            flows = f"a flow ({', '.join(self._flows)})" if self._flows else "a flow (there is none)"
            expected = f"{flows} or a step without a value ({', '.join(BARE)})"
            self._problem(path, show(word), expected, hint=nearest(word, known))
            return None
        return PlacedStep(GotoStep(flow=word), self._document, path, path, {})

    def _place(self, kind: type[Step], value: Any, path: KeyPath, value_path: KeyPath) -> PlacedStep | None:
        wrapped = ""
        if value is None:
            value = {}
        if kind.shorthand and (kind.whole or not isinstance(value, dict)):
            value, wrapped = {kind.shorthand: value}, kind.shorthand
        step, problems = validate_part(kind, self._document, value_path, value, wrapped=wrapped)
        self.problems += problems
        if step is None:
            self._below(value, value_path)
            return None
        branches = {
            spec.name: PlacedBranch(spec, self.action(spec.raw, self._at(value_path, spec.path)))
            for spec in step.branches()
        }
        return PlacedStep(step, self._document, path, value_path, branches)

    def _below(self, value: object, path: KeyPath) -> None:
        """Mistakes in the handlers of a step that is itself wrong are told too."""
        handlers = value.get("on") if isinstance(value, dict) else None
        for kind, raw in (handlers if isinstance(handlers, dict) else {}).items():
            wrapped = isinstance(raw, dict) and "do" in raw
            self.action(raw["do"] if wrapped else raw, self._at((*path, "on", kind), ()))

    def _at(self, path: KeyPath, below: KeyPath) -> KeyPath:
        """Where a branch stands; handlers may have their action under `do`."""
        whole = (*path, *below)
        return (*whole, "do") if (*whole, "do") in self._document.values else whole

    def _problem(
        self, path: KeyPath, found: str, expected: str, *, hint: str = "", at_key: bool = False
    ) -> None:
        self.problems.append(
            self._document.problem(path, found=found, expected=expected, hint=hint, at_key=at_key)
        )


def _put_below(raw: Mapping[str, object]) -> str:
    """For a step whose values stand beside it, and not below."""
    words = [word for word in raw if word in STEPS]
    if len(words) != 1 or not STEPS[words[0]].shorthand:
        return ""
    (word,) = words
    kind = STEPS[word]
    fields = {info.alias or name for name, info in kind.model_fields.items()}
    beside = [key for key in raw if key != word]
    if not fields.issuperset(beside):
        return ""
    inside = ", ".join(f"{key}: …" for key in (kind.shorthand, *beside))
    return f"did you mean {{{word}: {{{inside}}}}}?"


def is_flow_name(name: str) -> bool:
    """Whether a flow may have this name: not that of a step."""
    return name not in STEPS and name != CONTINUE
