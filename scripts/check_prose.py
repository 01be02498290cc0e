"""Checks the pages: front matter, placeholders, naked numbers, links, permanent ids. Reads docs/ and README.md.

What it refuses, each with file, line and remedy: a naked number; an unknown fact, chart, table, verdict, published
row or workload; front matter that is missing or wrong; an id twice, unregistered or gone; a title that is no question
(answers) or no claim (misconceptions); an answer without its five sections, or whose first sentence is long; "faster"
without "than"; a page with limits that does not say what was not tried; a link to a page, a heading or an address
that is none.

python scripts/check_prose.py                   every problem as file:line: text; exit code 1 when there is one
python scripts/check_prose.py --report          length and reading level of every page, hardest first; no gate
python scripts/check_prose.py --facts resnet50  the facts whose id contains the text, with their values
python scripts/check_prose.py --write-readme    renews the README's numbers from the committed records
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.records import store  # noqa: E402
from bench.report.evidence.evidence import Evidence  # noqa: E402
from bench.report.facts import lookup  # noqa: E402
from bench.report.prose import check_page, groups, readme, source  # noqa: E402
from bench.workloads import registry  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 nothing found, 1 problems."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", metavar="TEXT", help="list the facts whose id contains TEXT, and stop")
    parser.add_argument("--report", action="store_true", help="length and reading level of every page, and stop")
    parser.add_argument("--write-readme", action="store_true", help="renew the numbers in README.md, and stop")
    options = parser.parse_args(arguments)
    if options.facts is not None:
        evidence = Evidence(store.load(), registry.workloads())
        for name in lookup.names(registry.workloads()):
            if options.facts in name:
                print(f"{name}  {lookup.lookup(name, evidence).text}")
        return 0
    if options.report:
        print(groups.table(map(groups.read, source.read(source.DOCS).values())))
        return 0
    if options.write_readme:
        path = ROOT / "README.md"
        path.write_text(
            readme.with_numbers(path.read_text(encoding="utf-8"), readme.committed_evidence()), encoding="utf-8"
        )
        return 0
    try:
        problems = check_page.check()
    except source.PageError as error:  # no other page can be looked at
        print(error)
        return 1
    for problem in problems:
        print(problem.shown)
    noun = "problem" if len(problems) == 1 else "problems"
    print(f"{len(problems)} {noun} in {len(source.read(source.DOCS))} pages", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
