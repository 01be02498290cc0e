"""What a stored text may hold: one plain line, and nothing that tells whose machine it is. Pure.

``clean`` leaves out at writing what ``problem`` refuses at reading.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

LONGEST = 200
# Letters of the scripts that systems speak, and signs; no control or direction character, nothing that HTML, Markdown,
# a template or a table's cell reads as its own.
SIGNS = r" !#$%'()+,\-./:;=?@^_\u00a1-\u00ac\u00ae-\u00ff‐-―‘-”•…′″−×≈≤≥"
LETTERS = r"0-9A-Za-z\u0100-\u024f\u0370-\u03ff\u0400-\u0481\u048a-\u04ff\u3041-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
LINE = re.compile(rf"[{SIGNS}{LETTERS}]*")
UNPLAIN = re.compile(rf"[^{SIGNS}{LETTERS}]")
STAND_INS = str.maketrans('<>[]{}"`|\\&*~', "()()()''//+x-")
FORMULA = re.compile(r"[=+@#\s]+|-(?=[^-\w])|-(?=\d)")  # what a spreadsheet or Markdown reads at the head of a text

_OCTETS = r"\d{1,3}(?:\.\d{1,3}){3}"
_COMPONENT = r"[\w.+-]+"
# What may not be there, and how to find it, the more telling ones first.
PERSONAL = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("token", r"(?:gh[a-z]_|github_pat_|glpat-|hf_|sk-|xox[a-z]-|npm_|pypi-|AKIA|ASIA|AIza|eyJ)[\w-]{10,}"),
        ("token", r"(?i)\b(?:token|passw(?:or)?d|secret|credential|bearer|api[ _-]?key|authori[sz]ation)s?"
                  r"(?:\s*[=:]\s*|\s+(?=\S*\d))['(]?[\w./+-]{6,}"),
        ("token", r"(?<![\w/+-])(?=[\w+-]*[a-z])(?=[\w+-]*[A-Z])(?=[\w+-]*\d)[A-Za-z0-9_+-]{32,}"),
        ("e-mail address or host", r"[\w.+-]+@[\w-]+[\w.-]*"),
        ("UUID", r"(?i)(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])"
                 r"|\b(?:gpu|mig)-[0-9a-f]{6,}"),
        ("hardware address", r"(?i)(?<![\w:-])[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4,}(?![\w:-])"
                             r"|(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])"),
        ("network address", rf"(?<![\w.-]){_OCTETS}(?![\w]|\.\d)"),
        ("network address", r"(?i)(?<![\w:.])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])"),
        ("network address", r"(?i)(?<![\w:.])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?::[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*"
                            r"(?![\w:])"),
        ("serial number", r"(?i)\b(?:serial(?:[ _-]?(?:number|no\.?|nr\.?|id))?|s/n|(?:asset|service)[ _-]tag)\s*"
                          r"[=:#]?\s*(?=[\w-]*\d)[\w-]{4,}"),
        ("serial number", r"(?<![\w.])\d{13,}(?![\w.])|(?<![0-9a-zA-Z])(?=[0-9a-f]*\d)[0-9a-f]{24,}(?![0-9a-zA-Z])"),
        ("path", rf"(?i)\bfile:/+{_COMPONENT}|/(?:home|users|root)/{_COMPONENT}(?:/{_COMPONENT})*"),
        ("path", r"(?i)(?<![\w.)])/(?:root|home|users)\b"),
        ("path", rf"(?i)\b[a-z]:[\\/]+{_COMPONENT}(?:(?: {_COMPONENT})?[\\/]+{_COMPONENT})*"),
        ("path", rf"(?:\\\\|(?<![\w:/])//){_COMPONENT}[\\/]{_COMPONENT}(?:[\\/]{_COMPONENT})*"),
        ("path", rf"(?<![\w.)/:])/(?!(?:usr|lib\w*|proc|sys|dev|opt|etc|bin)/){_COMPONENT}(?:/{_COMPONENT})+"),
        ("path", rf"~(?:{_COMPONENT})?/{_COMPONENT}(?:/{_COMPONENT})*|~[a-z]\w+"),
        ("host name", r"\b(?:DESKTOP|LAPTOP|WIN)-[A-Z0-9]{5,}\b|\bip-\d+(?:-\d+){3}\b"),
        ("host name", r"(?i)\b[\w-]+-(?:laptop|desktop|workstation|pc|macbook|imac|mbp|thinkpad)"
                      r"(?:-[\w-]+)?\b"),
        ("host name", r"(?i)(?<![\w.-])(?:[a-z0-9-]+\.)+(?:local|localdomain|lan|internal|intranet|corp|home|com|org"
                      r"|net|edu|gov|mil|ac\.uk)\b(?![\w(])"),
        ("user or host name", r"(?i)\b(?:user|login|logname|host|computer)[ _-]?(?:name)?"
                              r"(?:\s*[=:]\s*['(]?|\s+['])[\w.-]+"),
        ("user or host name", r"(?i)\b(?:user|host|login)name\s+(?:is\s+)?[\w.-]+"),
    )
)  # fmt: skip
UNREAD = frozenset({"id", "machine_id", "cell_id", "commit", "source_hash", "started_at"})  # ids, hashes, instants


@lru_cache(maxsize=4096)
def problem(text: str, key: str = "") -> str:
    """What is wrong with a text that stands under a key, as "expected ..., found ..."; empty if nothing is.

    A version may look like a network address; a label may quote what stands in code.
    """
    if len(text) > LONGEST:
        return f"expected at most {LONGEST} characters, found {len(text)}"
    shown = text.replace('"', "'") if key == "label" else text
    if not LINE.fullmatch(shown):
        found = UNPLAIN.search(shown)
        assert found is not None, "a text that is no plain line has a character that does not belong there"
        return f"expected one line of plain text without markup, found {found[0]!a} in it"
    if found := FORMULA.match(text):
        return f"expected a text that begins with a letter or a digit, found {found[0]!a} there"
    if key in UNREAD:
        return ""
    for name, pattern in PERSONAL:
        if pattern.search(text) and not (name == "network address" and _is_version(key)):
            return f"expected nothing that tells whose machine it is, found a {name}"
    return ""


def clean(text: str, key: str = "") -> str:
    """The text as it may be stored under a key: personal parts named instead of shown, markup replaced, one line."""
    kept = '"' if key == "label" else ""
    text = text[: 10 * LONGEST]  # what is cut in the end need not be searched
    for name, pattern in PERSONAL if key not in UNREAD else ():
        if not (name == "network address" and _is_version(key)):
            text = pattern.sub(f"({name})", text)
    text = "".join(
        char if char in kept else char.translate(STAND_INS) for char in re.sub(r"[^\S ]+", " ", text).strip()
    )
    text = "".join(char if char in kept or LINE.fullmatch(char) else "?" for char in text)
    while found := FORMULA.match(text):
        text = text[found.end() :]
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return "(left out)" if problem(text, key) else text


def cleaned(value: Any, key: str = "") -> Any:
    """Decoded JSON with every text as it may be stored."""
    if isinstance(value, str):
        return value if not problem(value, key) else clean(value, key)
    if isinstance(value, dict):
        return {name: cleaned(item, below(key, name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item, key) if isinstance(item, str | dict | list | tuple) else item for item in value]
    return value


def below(key: str, name: str) -> str:
    """The key under which a text stands: its own name, with that of the versions around it."""
    return f"versions.{name}" if key == "versions" else name


def _is_version(key: str) -> bool:
    return key.startswith("versions.nvidia")
