"""The files of a plan, read and put together by kind, before anything is made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.config.document import Document, KeyPath
from gateway.dialplan.block import Block
from gateway.dialplan.models import PlanFile


@dataclass(frozen=True, slots=True)
class Named:
    """Something with a name, and where it stands."""

    document: Document
    path: KeyPath
    entry: Any


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
    unread: list[Document] = field(default_factory=list)
    """Files with mistakes in their shape."""
    blocks: list[Block] = field(default_factory=list)
    """Everything that was compiled, also of files with mistakes."""

    def names(self, kind: str, entries: Mapping[str, Named]) -> tuple[str, ...]:
        """Names of a kind, those in files with mistakes included."""
        found = dict.fromkeys(entries)
        for document in self.unread:
            raw = document.data.get(kind) if isinstance(document.data, dict) else None
            found.update(dict.fromkeys(raw if isinstance(raw, dict) else ()))
        return tuple(found)
