"""What a value was read from: noted while it is made, so that it is made again only where that has changed.

Noted are the runs of records. All else of a record (its cell, how it ended, its code) and the records that there are
count as read by everything. So does what depends on neither, like the code itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, MutableMapping
from typing import Any, Generic, TypeVar, overload

import msgspec

from bench.schema import Record, Run

T = TypeVar("T")
Names = frozenset[str]  # of what was read
_open: list[set[str]] = []  # what is being made, the innermost last


class Watched(Record, dict=True):
    """A stored record whose runs are noted when they are read."""

    @property  # type: ignore[misc]  # in the place of a field
    def runs(self) -> tuple[Run, ...]:
        """As stored."""
        note(self)
        found: tuple[Run, ...] = _RUNS.__get__(self)
        return found

    @property
    def state(self) -> tuple[str, str]:
        """The name that is noted, and a digest of the record."""
        name, digest = self.__dict__["name"], self.__dict__["digest"]
        return name, digest


_RUNS: Any = Record.__dict__["runs"]


def watched(record: Record, name: str) -> Watched:
    """A record that is noted under a name."""
    found = Watched(**{field: getattr(record, field) for field in record.__struct_fields__})
    found.__dict__.update(name=name, digest=hashlib.sha256(msgspec.json.encode(record)).hexdigest()[:32])
    return found


def note(*records: Record | None) -> None:
    """Somebody reads the runs of these records; one that nobody watches is not noted."""
    if _open:
        for one in records:
            if type(one) is Watched and (name := one.__dict__.get("name")):
                _open[-1].add(name)


def add(names: Iterable[str]) -> None:
    """Somebody uses what was made of all these."""
    if _open:
        _open[-1].update(names)


def collected(make: Callable[[], T]) -> tuple[T, Names]:
    """What ``make`` returns, and what was read for it, which the caller adds where it uses the value."""
    _open.append(set())
    try:
        return make(), frozenset(_open[-1])
    finally:
        _open.pop()


def kept(values: MutableMapping[Any, tuple[Any, Names]], key: Hashable, make: Callable[[], T]) -> T:
    """A value from a mapping, where it is put if it is not there; noted is what it was made of, each time."""
    if key not in values:
        values[key] = collected(make)
    found: T
    found, names = values[key]
    add(names)
    return found


def behind(owner: Any, name: str) -> tuple[Any, Names]:
    """The value of an owner's kept property, and what was read for it."""
    getattr(owner, name)
    found: tuple[Any, Names] = owner.__dict__[f"_{name}"]
    return found


class kept_property(Generic[T]):  # named as functools.cached_property is
    """As ``functools.cached_property``, with what the value was made of noted each time."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        """Of a method without arguments."""
        self._make = make
        self.__doc__ = make.__doc__
        self.__name__ = make.__name__

    @overload
    def __get__(self, owner: None, type_: type) -> kept_property[T]: ...

    @overload
    def __get__(self, owner: object, type_: type) -> T: ...

    def __get__(self, owner: object | None, type_: type) -> kept_property[T] | T:
        """The owner's value."""
        return self if owner is None else kept(owner.__dict__, f"_{self.__name__}", lambda: self._make(owner))


class noted_property(kept_property[T]):
    """Of an owner that has a ``name_of`` the value itself is noted, not what it was made of.

    For what follows from many records and is seldom changed by one: whoever reads it is made again where it changes.
    """

    def __get__(self, owner: Any, type_: type) -> Any:
        """The owner's value."""
        if owner is None or not (name := owner.name_of(self.__name__)):
            return super().__get__(owner, type_)
        value, _ = collected(lambda: super(noted_property, self).__get__(owner, type_))
        add([name])
        return value
