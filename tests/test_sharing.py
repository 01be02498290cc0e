"""Citations and files for programs: the value, interval, machine, date and commit travel with every form."""

from __future__ import annotations

import json

import pytest

from bench.report.pages import sharing

NUMBER = sharing.Cited(
    what="ResNet-50, training",
    value="9.92 images/s (9.76 to 10.37, n = 5)",
    machine="AMD EPYC, 2 cores",
    date="2026-11-21",
    commit="5adc7ce51b",
    address="https://example.org/evidence/facts/#resnet50-train",
)
ANSWERS = [
    {"id": "a", "kind": "answer", "question": "Why?", "answer": "So.\nIt is.", "verdict": None, "address": "faq/a/"},
    {"id": "m", "kind": "misconception", "question": "Always", "answer": "False.", "verdict": "false", "address": "m/"},
]


@pytest.mark.parametrize("form", ["text", "Markdown", "BibTeX"])
def test_every_form_carries_all_that_a_number_needs(form: str):
    cited = sharing.citations(NUMBER)[form]

    for part in ("9.92 images/s", "9.76 to 10.37", "AMD EPYC, 2 cores", "2026-11-21", "5adc7ce51b", NUMBER.address):
        assert part in cited


def test_bibtex_escapes_and_has_one_key():
    entry = sharing.citations(NUMBER._replace(what="A share of 5 % & more"))["BibTeX"]

    assert entry.startswith("@misc{do-i-need-a-gpu-resnet50-train-2026-11-21,\n")
    assert r"5 \% \& more" in entry


def test_faq_json_has_every_answer_with_its_address():
    data = json.loads(sharing.faq_json(ANSWERS, "https://example.org/"))

    assert ["https://example.org/faq/a/", "https://example.org/m/"] == [a["address"] for a in data["answers"]]
    assert "false" == data["answers"][1]["verdict"]


def test_llms_txt_is_a_heading_a_summary_and_links():
    lines = sharing.llms_txt(ANSWERS, "", "Measured answers.").splitlines()

    assert ["# Do I need a GPU?", "", "> Measured answers."] == lines[:3]
    assert "- [Why?](/faq/a/): So. It is." in lines
    assert lines.index("## Questions") < lines.index("## What people believe") < lines.index("- [Always](/m/): False.")
