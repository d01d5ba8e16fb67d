"""YAML text → plain values (mappings, lists, text, numbers, true, false, nothing), within bounds.

PyYAML parses the text into events, in C where that was built, and the values are built from the events here. Its own
constructors are not used, because they

- crash the interpreter on deep nesting (100 KB of `[` are enough), and expand aliases without a bound;
- let the last of two equal keys win silently;
- follow YAML 1.1, where the key `on:` is the key True.

So: nesting, and the number of values with aliases counted in full, are bounded; an equal key is an error; keys are
always text; what other text means is told by `scalars`. `<<` merges mappings, as everywhere. Tags are refused, but for
`!!str`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Never, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from orchestration.loading.findings import FieldPath
from orchestration.loading.places import TOP, Places
from orchestration.loading.scalars import BEGINS_OTHER, Numeral, plain
from orchestration.loading.shortcut import LONGEST, Quick, read_quickly
from orchestration.loading.yamlerrors import NotYaml, explained
from orchestration.records import dataclass

MAX_DEPTH: Final = 64
"""Nobody nests deeper by hand, and everything that walks a value later may recurse without fear."""

MAX_VALUES: Final = 1_000_000
"""Bounds time and memory (some hundred MB at worst); 10,000 full tasks in one file are half of it."""

_MERGE: Final = "\0<<"  # what the key << is called while its mapping is built; a key in quotes cannot be this one
_NOTED: Final = frozenset({"id", _MERGE})  # keys whose lines are always known
_NEAR_TOP: Final = 2  # depth to which list items are given a line: `tasks:` → item, or a list at the top → item

Events: TypeAlias = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Document:
    """The value of a text, and where its parts begin."""

    value: Any
    places: Places
    has_numerals: bool

    def line_of(self, path: FieldPath, spellings: Mapping[str, str] = MappingProxyType({})) -> int | None:
        """The line where the value at `path` begins, or else the nearest thing around it that has a line.

        Args:
            path: leads to the value.
            spellings: key → what may be written instead of it.
        """
        found, here = self.places.line_of(TOP, 0), self.value
        for step in path:
            key: str | int
            if isinstance(here, list) and isinstance(step, int) and step < len(here):
                key = step
            elif isinstance(here, dict) and isinstance(step, str):
                key = step if step in here else spellings.get(step, step)
            else:
                break
            line = self.places.line_of(id(here), key)
            found = found if line is None else line
            here = here.get(key) if isinstance(here, dict) else here[key]
        return found


def parse(text: str, *, first_line: int = 1, every_line: bool = False, in_c: bool = yaml.__with_libyaml__) -> Document:
    """Read one YAML document.

    Args:
        text: the document; no text at all gives the value None.
        first_line: the line of the file on which `text` begins.
        every_line: note the line of every value, not only of list items near the top and of keys called `id`.
        in_c: whether to use the parser that is written in C.

    Raises:
        NotYaml: it is not YAML, or more than the bounds of this module allow.
    """
    if not every_line and len(text) <= LONGEST and (quick := _quickly(text, in_c=in_c)):
        places = Places()
        places.add_item(TOP, first_line + text.count("\n", 0, quick.begins_at))
        if quick.id_at is not None:
            places.add_entry(id(quick.value), "id", first_line + text.count("\n", 0, quick.id_at))
        return Document(quick.value, places, quick.has_numerals)
    return parse_whole(text, first_line=first_line, every_line=every_line, in_c=in_c)


def parse_whole(
    text: str, *, first_line: int = 1, every_line: bool = False, in_c: bool = yaml.__with_libyaml__
) -> Document:
    """Do as `parse` does, and let the parser look at all of the text.

    Raises:
        NotYaml: as `parse`.
    """
    builder = _Builder(first_line, every_line=every_line, several=False)
    values = builder.built(text, in_c=in_c)
    return Document(values[0] if values else None, builder.places, builder.has_numerals)


def _quickly(text: str, *, in_c: bool) -> Quick | None:
    def parse_all(entries: str) -> tuple[list[Any], bool]:
        builder = _Builder(1, every_line=False, several=True)
        return builder.built(entries, in_c=in_c), builder.has_numerals

    try:
        return read_quickly(text, parse_all)
    except NotYaml:
        return None


class _Builder:
    """Builds the values of documents from their events; `_here` is the mapping or list that is being filled."""

    def __init__(self, first_line: int, *, every_line: bool, several: bool) -> None:
        self._several = several
        self._first = first_line
        self._every = every_line
        self._root: list[Any] = []
        self._here: Any = self._root
        self._key: str | None = None
        self._parents: list[tuple[Any, str | None, int, int]] = []
        self._anchors: dict[str, tuple[Any, int, int] | None] = {}  # name → value, how many values, how deep
        self._count = 0
        self._height = 0
        self.has_numerals = False
        self._event: Any = None  # the one at hand
        self.places = Places()

    def built(self, text: str, *, in_c: bool) -> list[Any]:
        try:
            parser = yaml.CBaseLoader(text) if in_c else yaml.BaseLoader(text)
            self._consume(parser.get_event)
        except yaml.YAMLError as error:
            raise explained(error, text, self._first) from error
        return self._root

    def _consume(self, events: Events) -> None:
        handlers: dict[type, Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            StreamStartEvent: self._nothing,
            DocumentEndEvent: self._nothing,
            MappingStartEvent: self._open,
            SequenceStartEvent: self._open,
            MappingEndEvent: self._close,
            SequenceEndEvent: self._close,
            AliasEvent: self._alias,
            DocumentStartEvent: self._document,
        }
        while (event := events()).__class__ is not StreamEndEvent:
            self._event = event
            handlers[event.__class__](event)

    def _scalar(self, event: ScalarEvent) -> None:
        value = event.value
        is_key = self._key is None and self._here.__class__ is dict
        if event.tag is not None:
            self._refuse_tag(event.tag)
        elif event.style:
            if event.style == '"' and not _is_clean(value):
                self._fail("the text in quotes holds a character that no program takes", "remove the escape")
        elif not is_key and value[:1] in BEGINS_OTHER:
            value = plain(value)
            if value.__class__ is Numeral:
                self.has_numerals = True
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1, 0)
        if is_key:
            self._take_key(value)
        else:
            self._put(value)

    def _take_key(self, key: str) -> None:
        if not key and not self._event.style:
            self._fail("there is nothing before the colon", "write a key there, or put the text in quotes")
        if key == "<<" and not self._event.style:
            key = _MERGE
        if key in self._here:
            self._fail(
                f"the key {key[:80].removeprefix(_MERGE[0])!r} stands twice in one mapping", "remove one of them"
            )
        self._key = key
        if self._every or key in _NOTED:
            self.places.add_entry(id(self._here), key, self._line())

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if event.tag is not None:
            self._refuse_tag(event.tag)
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # not whole yet
        before = self._count
        new: Any = {} if event.__class__ is MappingStartEvent else []
        self._put(new)
        self._parents.append((self._here, event.anchor, before, self._height))
        self._here, self._height = new, 0
        self._bound_depth(0)

    def _close(self, _: MappingEndEvent | SequenceEndEvent) -> None:
        closed, height = self._here, self._height + 1
        if closed.__class__ is dict and _MERGE in closed:
            self._merge(closed)
        self._here, anchor, count, outer = self._parents.pop()
        self._height = max(outer, height)
        if anchor is not None:
            self._anchors[anchor] = (closed, self._count - count, height)

    def _alias(self, event: AliasEvent) -> None:
        name = event.anchor
        if name not in self._anchors:
            self._fail(f"nothing above is called &{name}", "put text that begins with * in quotes")
        known = self._anchors[name]
        if known is None:
            self._fail(f"*{name} stands inside of what it stands for", "a value cannot contain itself")
        value, size, height = known
        self._bound_depth(height)
        self._height = max(self._height, height)
        self._put(value, size)

    def _nothing(self, _: StreamStartEvent | DocumentEndEvent) -> None:
        """Events that only frame."""

    def _document(self, _: DocumentStartEvent) -> None:
        self._anchors.clear()
        if self._root and not self._several:
            self._fail("a second document begins here", "write several tasks as one list under `tasks:`")

    def _put(self, value: Any, size: int = 1) -> None:  # noqa: ANN401  # any of the plain values
        self._count += size
        if self._count > MAX_VALUES:
            self._fail(f"more than {MAX_VALUES:,} values, with aliases counted in full", "split the file")
        here = self._here
        if here.__class__ is dict:
            if self._key is None:
                self._fail("a key has to be plain text", "put text that begins with { or [ or * in quotes")
            here[self._key] = value
            self._key = None
        else:
            if self._every or len(self._parents) <= _NEAR_TOP:
                self.places.add_item(id(here) if self._parents else TOP, self._line())
            here.append(value)

    def _merge(self, mapping: dict[str, Any]) -> None:
        sources = mapping.pop(_MERGE)
        for source in sources if isinstance(sources, list) else [sources]:
            if not isinstance(source, dict):
                line, hint = self.places.line_of(id(mapping), _MERGE), "write `<<: *name` of a mapping"
                raise NotYaml("only a mapping can be merged by <<", line or self._first, hint)
            for key, value in source.items():
                mapping.setdefault(key, value)

    def _bound_depth(self, below: int) -> None:
        if len(self._parents) + below > MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH} levels", "put text that begins with { or [ in quotes")

    def _refuse_tag(self, tag: str) -> None:
        if tag not in {"!", "tag:yaml.org,2002:str"}:
            name = tag.replace("tag:yaml.org,2002:", "!!")
            self._fail(f"the tag {name[:80]} is not allowed here", "write plain values, without !tags")

    def _fail(self, message: str, hint: str) -> Never:
        raise NotYaml(message, self._line(), hint)

    def _line(self) -> int:
        return int(self._event.start_mark.line) + self._first


def _is_clean(text: str) -> bool:
    """Whether text can be passed to programs: no NUL, no half of a surrogate pair; both can come of escapes."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))
