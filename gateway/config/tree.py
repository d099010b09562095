"""YAML as a tree that remembers where everything stands.

Built from ruamel.yaml's events and not from its objects, for three reasons: every key and value
keeps its line and column, nothing but plain types can come out, and each use of an alias counts.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

from gateway.config.problems import ConfigError, Loc, Problem, dotted

MAX_DEPTH = 32
MAX_NODES = 50_000
"""Values in one file, each use of an alias counted in full: a "billion laughs" ends here."""

Scalar = str | int | float | bool | None

_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it begins, counted from 1. `nodes` is how many values it is in all."""

    line: int
    column: int
    content: "Scalar | list[Node] | dict[str, Entry]"
    nodes: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's place, and its value."""

    line: int
    column: int
    node: Node


def parse(text: str, name: str) -> Node:
    """Return the one document of `text`; an empty one is an empty mapping.

    Raises `ConfigError`, whose problems stand in the file called `name`.
    """
    reader = _Reader(name, YAML(typ="safe", pure=True).parse(text))
    try:
        root = reader.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = [part for part in (error.context, error.problem) if part]
        raise ConfigError([_problem(name, mark, f"not YAML: {', '.join(said)}")]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise ConfigError([Problem(f"{name}:{line}:{column}", "", message)]) from None
    except YAMLError:
        raise ConfigError([Problem(f"{name}:1:1", "", "not YAML")]) from None
    if reader.problems:
        raise ConfigError(reader.problems)
    return root


def find(root: Node, loc: Loc) -> tuple[int, Node, tuple[int, int]]:
    """Follow `loc` as far as it goes.

    Returns how many of its steps exist, the value there, and where its key stands.
    """
    node, key = root, (root.line, root.column)
    for count, step in enumerate(loc):
        match node.content, step:
            case dict() as entries, str() if step in entries:
                entry = entries[step]
                node, key = entry.node, (entry.line, entry.column)
            case list() as items, int() if 0 <= step < len(items):
                node = items[step]
                key = (node.line, node.column)
            case _:
                return count, node, key
    return len(loc), node, key


class _Reader:
    """Turns events into nodes; problems that don't hide others are collected."""

    def __init__(self, name: str, events: Iterator[Event]) -> None:
        self.problems: list[Problem] = []
        self._name = name
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._path: list[str | int] = []

    def document(self) -> Node:
        for event in self._events:
            if not isinstance(event, StreamStartEvent | DocumentStartEvent):
                break
        else:  # pragma: no cover - a stream has an end
            return Node(1, 1, {})
        if not isinstance(event, NodeEvent):
            return Node(1, 1, {})
        root = self._node(event)
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                message = "a second document begins here: a file holds one"
                self._stop(event.start_mark, message)
            if not isinstance(event, DocumentEndEvent):
                break
        return Node(root.line, root.column, {}) if root.content is None else root

    def _node(self, event: Event) -> Node:
        mark = event.start_mark
        if len(self._path) > MAX_DEPTH:
            self._stop(mark, f"nested deeper than {MAX_DEPTH}")
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                self._stop(mark, f"no value before *{event.anchor} is called &{event.anchor}")
            return self._anchors[event.anchor]
        if getattr(event, "ctag", None) is not None:
            self._say(mark, "tags (!) are not read here: write the plain value")
        content: Scalar | list[Node] | dict[str, Entry]
        match event:
            case SequenceStartEvent():
                content, nodes = self._items()
            case MappingStartEvent():
                content, nodes = self._entries()
            case _:
                content, nodes = self._scalar(event), 1
        node = Node(mark.line + 1, mark.column + 1, content, nodes)
        if (anchor := getattr(event, "anchor", None)) is not None:
            self._anchors[anchor] = node
        return node

    def _items(self) -> tuple[list[Node], int]:
        items: list[Node] = []
        nodes = 1
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            self._path.append(len(items))
            items.append(self._node(event))
            nodes = self._count(event.start_mark, nodes + items[-1].nodes)
            self._path.pop()
        return items, nodes

    def _entries(self) -> tuple[dict[str, Entry], int]:
        entries: dict[str, Entry] = {}
        nodes = 1
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            mark = event.start_mark
            if not isinstance(event, ScalarEvent):
                self._stop(mark, "a key must be a plain word")
            # The key as it is written: a model may be called 1.10, or no.
            key = str(event.value)
            if key == "<<" and not event.style:
                self._stop(mark, "merge keys (<<) are not in YAML 1.2: write the keys out")
            self._path.append(key)
            value = self._node(next(self._events))
            if value.content is None:
                # Nothing is written, and YAML's place for it is wherever the next key begins.
                value = Node(mark.line + 1, mark.column + 1, None)
            nodes = self._count(mark, nodes + value.nodes)
            if key in entries:
                first = entries[key].line
                self._say(mark, f"this key is written twice, first in line {first}: remove one")
            else:
                entries[key] = Entry(mark.line + 1, mark.column + 1, value)
            self._path.pop()
        return entries, nodes

    def _scalar(self, event: Event) -> Scalar:
        text = str(getattr(event, "value", ""))
        if getattr(event, "style", None):
            return text
        try:
            return _plain(text)
        except ValueError:
            self._say(event.start_mark, "this number has too many digits")
            return None

    def _count(self, mark: StreamMark, nodes: int) -> int:
        if nodes > MAX_NODES:
            self._stop(mark, f"more than {MAX_NODES:,} values, counting each use of an alias")
        return nodes

    def _say(self, mark: StreamMark, message: str) -> None:
        self.problems.append(_problem(self._name, mark, message, tuple(self._path)))

    def _stop(self, mark: StreamMark, message: str) -> NoReturn:
        self._say(mark, message)
        raise ConfigError(self.problems)


def _problem(name: str, mark: StreamMark | None, message: str, loc: Loc = ()) -> Problem:
    place = name if mark is None else f"{name}:{mark.line + 1}:{mark.column + 1}"
    return Problem(place, dotted(loc), message)


def _plain(text: str) -> Scalar:
    """Return what an unquoted `text` means in YAML 1.2 (core schema, 10.3.2), so `no` is a word."""
    if text in _WORDS:
        return _WORDS[text]
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    if found := re.fullmatch(r"0(?:o([0-7]+)|x([0-9a-fA-F]+))", text):
        return int(found[1], 8) if found[1] else int(found[2], 16)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        return float(text)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        return float(text.replace(".", ""))
    return text
