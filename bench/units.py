"""Units of stored numbers, each with the range that a machine can reach; ids, dates and hashes, with their form. Pure.

``bench.schema`` declares its fields with them, and msgspec refuses whatever lies outside when a file is read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Meta

SLUG = r"[a-z0-9]+(?:-[a-z0-9]+)*"
DATE = r"20(?:2[6-9]|[3-9][0-9])-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"  # nothing was measured before 2026
SESSION = rf"{DATE}(?:-(?:[2-9]|[1-9][0-9]{{1,2}}))?"

Slug = Annotated[str, Meta(pattern=rf"^{SLUG}$", max_length=60, description="a lower-case kebab id")]
CellId = Annotated[str, Meta(pattern=rf"^{SLUG}$", max_length=200, description="a lower-case kebab id")]
SessionId = Annotated[str, Meta(pattern=rf"^{SESSION}$", description="a date, or a date and a number from 2")]
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
Instant = Annotated[str, Meta(pattern=rf"^{DATE}T{_TIME}\+00:00$", description="an ISO 8601 instant of UTC")]
_HEX = r"^(?!(.)\1+$)[0-9a-f]"  # a hash of one digit alone is made up
CommitId = Annotated[str, Meta(pattern=_HEX + "{40}$", description="40 hex digits, not all alike")]
SourceHash = Annotated[str, Meta(pattern=_HEX + "{16}$", description="16 hex digits, not all alike")]
Words = Annotated[str, Meta(min_length=1)]
Word = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_]{1,30}$", description="a word of letters, digits and underscores")]
MaybeSlug = Annotated[str, Meta(pattern=rf"^(?:{SLUG})?$", max_length=60, description="a lower-case kebab id or none")]
Dtype = Annotated[
    str, Meta(pattern=r"^(?:bool|(?:b?float|u?int|complex)[0-9]{1,3}\w{0,10})$", description="a number format")
]
Capability = Annotated[str, Meta(pattern=r"^[0-9]{1,2}\.[0-9]$", description="a number such as 8.6")]
Package = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$", description="a package in lower case")]
Version = Annotated[str, Meta(pattern=r"^(?:[0-9][0-9A-Za-z.+!_-]{0,63}|unknown)$", description="a version")]


def _in(unit: str, **limits: Any) -> Meta:
    """A number's unit, told in the schema, and its range."""
    return Meta(extra_json_schema={"unit": unit}, **limits)


Seconds = Annotated[float, _in("s", ge=0, le=1e7)]  # 115 days
Elapsed = Annotated[float, _in("s", ge=1e-9, le=1e7)]  # between two readings of a clock that counts nanoseconds
Bytes = Annotated[int, _in("B", ge=0, le=2**50)]
Memory = Annotated[int, _in("B", ge=0, le=2**47)]  # of a machine; 0 where the system does not tell
MemorySize = Annotated[int, _in("B", ge=2**26, le=2**43)]  # of a GPU
Watts = Annotated[float, _in("W", ge=1e-3, le=1e5)]
PowerLimit = Annotated[float, _in("W", ge=1, le=1e4)]
Joules = Annotated[float, _in("J", ge=1e-6, le=1e10)]  # what counters count in
Hertz = Annotated[float, _in("Hz", ge=1e6, le=1e10)]  # of a processor's clock
Celsius = Annotated[float, _in("°C", ge=-50, le=150)]
Share = Annotated[float, _in("share of 1", ge=0, le=1)]
Load = Annotated[float, _in("processes", ge=0, le=1e5)]
Flop = Annotated[float, _in("FLOP", ge=1, le=1e18)]
Loss = Annotated[float, _in("the loss's own", ge=0, le=1e9)]  # beyond, a training has gone astray
Value = Annotated[float, _in("the reading's own", ge=0, le=1e18)]  # a study's reading, in whatever unit
Count = Annotated[int, _in("count", ge=0, le=10**12)]
Number = Annotated[int, _in("count", ge=1, le=10**9)]  # of what there is at least one
Cores = Annotated[int, _in("cores", ge=1, le=2**13)]
Quota = Annotated[float, _in("cores", ge=1e-3, le=2**16)]  # of cores
Order = Annotated[int, _in("place", ge=0, le=10**6)]  # of a run in its session
Repeats = Annotated[int, _in("count", ge=0, le=1000)]
Seed = Annotated[int, _in("none", ge=0, le=2**63 - 1)]
Integer = Annotated[int, _in("the parameter's own", ge=-(10**12), le=10**12)]
Real = Annotated[float, _in("the parameter's own", ge=-1e12, le=1e12)]


@lru_cache(maxsize=2**16)  # a page asks for each id a hundred times
def kebab(text: str) -> str:
    """A text as an id: lower case, and a hyphen for all that is no letter or digit."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
