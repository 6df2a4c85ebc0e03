"""Compiled steps: what the interpreter runs and the checks walk through."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.config.document import Document, KeyPath
from gateway.dialplan.step import BranchSpec, Step


@dataclass(frozen=True, slots=True, eq=False)
class PlacedStep:
    """A step, where it stands, and what it may continue with."""

    step: Step
    document: Document
    path: KeyPath
    """Where the step stands in the document."""
    value_path: KeyPath
    """Where its value stands; the step's own place when it is a word alone."""
    branches: Mapping[str, "PlacedBranch"]
    """By name."""

    @property
    def place(self) -> str:
        """FILE:LINE:COLUMN."""
        place = self.document.values.get(self.path)
        return f"{self.document.file}:{place.line}:{place.column}" if place else self.document.file

    def steps(self) -> Iterator["PlacedStep"]:
        """Itself and everything below it."""
        yield self
        for branch in self.branches.values():
            for placed in branch.block:
                yield from placed.steps()


@dataclass(frozen=True, slots=True, eq=False)
class PlacedBranch:
    """Steps that a step may continue with."""

    spec: BranchSpec
    block: "Block"


Block = tuple[PlacedStep, ...]
"""Steps, one after the other."""


def all_steps(block: Block) -> Iterator[PlacedStep]:
    """Every step of a block, branches included."""
    for placed in block:
        yield from placed.steps()
