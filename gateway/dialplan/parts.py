"""The files of a plan, read and put together by kind, before anything is made of them."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.config.document import MAX_BYTES, Document, KeyPath
from gateway.dialplan.block import Block
from gateway.dialplan.models import PlanFile
from gateway.dialplan.salvage import Kind, Salvaged

_KEY: Final = re.compile(r"([^\s{}\[\],:#'\"]+)['\"]?:")


@dataclass(frozen=True, slots=True)
class Named:
    """Something with a name, and where it stands."""

    document: Document
    path: KeyPath
    entry: Any


@dataclass(slots=True)
class Doubts:
    """What of a plan is not what its author wrote, because of mistakes: checks conclude nothing from it."""

    routes: set[int] = field(default_factory=set)
    """Numbers of routes whose name or conditions are not certain."""
    gaps: set[int] = field(default_factory=set)
    """Ahead of the routes with these numbers others may be missing."""
    cases: set[tuple[str, int]] = field(default_factory=set)
    """Cases that mean nothing: file and number."""
    lists: set[str] = field(default_factory=set)
    """Lists of numbers that lack some."""
    hours: set[str] = field(default_factory=set)
    """Opening hours that are not known."""
    names: set[Kind] = field(default_factory=set)
    """Kinds of which names are missing."""
    words: set[str] = field(default_factory=set)
    """What may be names in files that cannot be read."""
    steps: bool = False
    """Steps are missing somewhere."""
    defaults: bool = False
    """Time zone and country of the plan may be others."""

    @property
    def first_route(self) -> int | None:
        """From the route with this number on nobody can say which one takes a call; None: all are certain."""
        return 0 if self.defaults else min(self.routes | self.gaps, default=None)

    def may_exist(self, kind: Kind, name: str) -> bool:
        """Whether something unknown may have been lost."""
        return kind in self.names or name in self.words


@dataclass(slots=True)
class Parts:
    """All files, read and put together by kind."""

    documents: list[Document] = field(default_factory=list)
    files: list[PlanFile] = field(default_factory=list)
    lists: dict[str, Named] = field(default_factory=dict)
    hours: dict[str, Named] = field(default_factory=dict)
    prompts: dict[str, Named] = field(default_factory=dict)
    flows: dict[str, Named] = field(default_factory=dict)
    routes: list[Named] = field(default_factory=list)
    defaults: Named | None = None
    blocks: list[Block] = field(default_factory=list)
    """Everything that was compiled."""
    doubts: Doubts = field(default_factory=Doubts)
    lost_files: int = 0
    """Files that could not be read."""

    def add_file(self, document: Document, salvaged: Salvaged) -> None:
        """Take a file's routes, and what is not certain about the file; the rest is merged afterwards."""
        doubts, first = self.doubts, len(self.routes)
        self.documents.append(document)
        self.files.append(salvaged.file)
        for number, entry in enumerate(salvaged.file.routes):
            self.routes.append(Named(document, ("routes", number), entry))
        doubts.routes |= {first + number for number in salvaged.routes}
        doubts.gaps |= {first} if salvaged.routes_lost else set()
        doubts.cases |= {(document.file, number) for number in salvaged.cases}
        doubts.lists |= salvaged.lists
        doubts.names |= salvaged.names
        doubts.steps = doubts.steps or salvaged.steps_lost
        doubts.defaults = doubts.defaults or salvaged.defaults_lost

    def lose_file(self, raw: bytes) -> None:
        """The next file cannot be read at all."""
        self.doubts.gaps.add(len(self.routes))
        self.doubts.words.update(_KEY.findall(raw[:MAX_BYTES].decode("utf-8", "replace")))
        self.doubts.steps = True
        self.lost_files += 1
