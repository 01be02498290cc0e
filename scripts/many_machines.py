"""What the site costs with many machines: copies of a committed session, scaled, and the time and memory they take.

python scripts/many_machines.py 10 50 100      checks and builds with so many machines of 300 records each
python scripts/many_machines.py 10 --keep DIR  the records stay in DIR, for a build by hand (SITE_RESULTS=DIR)
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from bench.report.evidence.evidence import MOST_WITH_PAGES  # noqa: E402  # found below ROOT

PATTERN = ROOT / "bench" / "results" / "amd-epyc-2c" / "2026-11-21"
RECORDS = 300  # of each machine
FASTEST = 1.5  # times the pattern; none is slower, so that runs end before the next begins
TIMED = {"phases_s", "first_s", "latencies_s", "between_epochs_s", "total_s", "seconds"}
BLOCKS = {"blocks", "warmup", "series"}  # of [steps, seconds]
COMMANDS = {
    "check": ["-m", "bench.cli", "check"],
    "build": ["-m", "mkdocs", "build", "--quiet"],
    "build after a record changed": ["-m", "mkdocs", "build", "--quiet"],
}
WEIGHED = ("index.html", "faq/*/index.html")  # pages whose size no machine may change
MOST_GROWTH_FRAC = 0.05


def scaled(found: Any, factor: float, key: str = "") -> Any:
    """Runs as JSON with every time in them multiplied by a factor."""
    if isinstance(found, dict):
        return {name: scaled(one, factor, key if key in TIMED | BLOCKS else name) for name, one in found.items()}
    if isinstance(found, list) and key == "epochs":
        return [[loss, quality, at * factor, took * factor] for loss, quality, at, took in found]
    if isinstance(found, list) and key in BLOCKS and not isinstance(found[0] if found else [], list):
        return [found[0], found[1] * factor]
    if isinstance(found, list):
        return [scaled(one, factor, key) for one in found]
    return found * factor if key in TIMED and isinstance(found, float) else found


def slowed(record: dict[str, Any], factor: float) -> Iterator[dict[str, Any]]:
    """A record's runs with every time in them multiplied by a factor, readings in seconds among them."""
    timed = {item["id"] for item in record["spec"].get("readings", ()) if item["unit"] == "s"}
    for run in scaled(record["runs"], factor):
        read = {name: value * factor if name in timed else value for name, value in run.get("readings", {}).items()}
        yield run | ({"readings": read} if read else {})


def write(root: Path, n_machines: int) -> None:
    """Machines m-0001 and so on below a results folder, each with its own speed."""
    machine, session = (json.loads((PATTERN / f"{name}.json").read_bytes()) for name in ("machine", "session"))
    paths = [path for path in sorted(PATTERN.glob("*.json")) if path.stem not in ("machine", "session")][:RECORDS]
    records = {path.name: json.loads(path.read_bytes()) for path in paths}
    for number in range(1, n_machines + 1):
        name, factor = f"m-{number:04}", FASTEST ** -((number * 37 % 1009) / 1008)
        folder = root / name / session["id"]
        folder.mkdir(parents=True)
        described = {"machine": machine | {"id": name}, "session": session | {"machine_id": name}}
        files = {f"{file}.json": one for file, one in described.items()}
        files |= {file: one | {"runs": list(slowed(one, factor))} for file, one in records.items()}
        for file, one in files.items():
            (folder / file).write_text(json.dumps(one, indent=1), encoding="utf-8")


def measured(command: list[str], results: Path) -> str:
    """Runs Python with these arguments over the records: seconds, CPU seconds, largest memory of a process."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, *command], cwd=ROOT, env=os.environ | {"SITE_RESULTS": str(results)}, check=True)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{seconds:.0f} s, {cpu:.0f} s of CPU, largest process so far {after.ru_maxrss / 1e6:.2f} GB"


def weights(site: Path) -> dict[str, int]:
    """Bytes of each page that is weighed."""
    found = (path for pattern in WEIGHED for path in site.glob(pattern))
    return {path.relative_to(site).as_posix(): path.stat().st_size for path in found}


def count(n_machines: int, keep: Path | None = None) -> tuple[dict[str, str], list[str]]:
    """What a check and a build cost with so many machines, by name; and which pages are larger than with few.

    Args:
        keep: folder for the records; a temporary one otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        sites = {n: Path(folder, f"site-{n}") for n in (min(n_machines, MOST_WITH_PAGES), n_machines)}
        costs: dict[str, str] = {}
        for n, site in sites.items():
            results = (keep or Path(folder)) / f"{n}"
            write(results, n)
            for name, command in COMMANDS.items():
                more = ["--results", str(results)] if name == "check" else ["--site-dir", str(site)]
                if "changed" in name:
                    with max(results.rglob("*.json")).open("a") as file:
                        file.write("\n")
                costs[name] = measured([*command, *more], results)
        few, many = map(weights, (min(sites.items())[1], sites[n_machines]))
    growth = {path: many[path] / size - 1 for path, size in few.items()}
    costs["largest growth of a page"] = f"{max(growth.values()):.1%}"
    return costs, [f"{path} grew by {by:.1%}" for path, by in growth.items() if by > MOST_GROWTH_FRAC]


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machines", type=int, nargs="+", help="how many machines to measure with")
    parser.add_argument("--keep", type=Path, help="folder for the records; a temporary one otherwise")
    options = parser.parse_args(arguments)
    for n_machines in options.machines:
        for name, cost in count(n_machines, options.keep)[0].items():
            print(f"{n_machines} machines, {name}: {cost}", flush=True)


if __name__ == "__main__":
    main()
