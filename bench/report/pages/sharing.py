"""What others take away: citations of a number, answers for programs and language models. Pure: words in, text out.

Addresses begin with the site's public address where it is known, else with "/": then they are relative to its root.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

SITE = "Do I need a GPU?"


class Cited(NamedTuple):
    """A number with all that must travel with it."""

    what: str  # "ResNet-50, 224 px, training throughput on the CPU"
    value: str  # with interval and runs, as the site shows it
    machine: str
    date: str
    commit: str
    address: str


def citations(number: Cited) -> dict[str, str]:
    """The same citation as plain text, Markdown and BibTeX."""
    about = f"{number.machine}, measured {number.date}, commit {number.commit}"
    key = re.sub(r"[^a-z0-9]+", "-", f"do-i-need-a-gpu {number.address.rpartition('#')[2]} {number.date}".lower())
    fields = {
        "title": f"{{{_tex(number.what)}: {_tex(number.value)}}}",
        "author": f"{{{{The '{_tex(SITE)}' authors}}}}",
        "year": f"{{{number.date[:4]}}}",
        "howpublished": f"{{\\url{{{number.address}}}}}",
        "note": f"{{{_tex(about)}}}",
    }
    body = ",\n".join(f"  {name} = {value}" for name, value in fields.items())
    return {
        "text": f"{number.what}: {number.value}. {about}. {SITE} {number.address}",
        "Markdown": f"[{number.what}: {number.value}]({number.address}) ({about})",
        "BibTeX": f"@misc{{{key.strip('-')},\n{body}\n}}",
    }


def faq_json(answers: Sequence[Mapping[str, Any]], address: str) -> str:
    """Questions and answers as data, with the verdicts of the beliefs among them."""
    found = [
        {
            "id": answer["id"],
            "kind": answer["kind"],
            "question": answer["question"],
            "answer": answer["answer"],
            "verdict": answer["verdict"],
            "statement": answer.get("statement"),
            "address": f"{address or '/'}{answer['address']}",
        }
        for answer in answers
    ]
    return json.dumps({"site": SITE, "answers": found}, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def llms_txt(answers: Sequence[Mapping[str, Any]], address: str, summary: str) -> str:
    """The site for language models: what it is, then each question with its answer and address.

    Source: the llms.txt proposal, https://llmstxt.org: a heading, a quoted summary, then lists of links.
    """
    lines = [
        f"# {SITE}",
        "",
        f"> {summary}",
        "",
        "Our numbers are measured and carry an interval; numbers from elsewhere name their source.",
        "Quote either with its machine and date, from the page it stands on.",
    ]
    for kind, heading in (("answer", "Questions"), ("misconception", "What people believe")):
        lines += ["", f"## {heading}", ""]
        for answer in answers:
            if answer["kind"] == kind:
                words = " ".join(str(answer["answer"]).split())
                lines.append(f"- [{answer['question']}]({address or '/'}{answer['address']}): {words}")
    data = f"- [All answers as data]({address or '/'}faq.json)"
    return "\n".join([*lines, "", "## Data", "", data, f"- [All claims as data]({address or '/'}claims.json)", ""])


def _tex(text: str) -> str:
    """Text with TeX's special characters escaped."""
    return re.sub(r"([%&#_$])", r"\\\1", text).replace("µ", "$\\mu$")
