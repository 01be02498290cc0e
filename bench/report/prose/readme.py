"""The README's numbers, renewed from the committed records."""

from __future__ import annotations

from pathlib import Path

from bench.records import files, store
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.workloads import registry

# The README's numbers.

START, END = "<!-- numbers:start -->", "<!-- numbers:end -->"
README_FACTS = (
    ("digits network, trained to its target", "cnn-digits-time-to-target", ""),
    ("dense network on a table, training", "mlp-tabular-train-cpu-throughput", "mlp-tabular-train-speedup"),
    ("LSTM on text, training", "lstm-text-train-cpu-throughput", "lstm-text-train-speedup"),
    ("small transformer on text, training", "transformer-text-train-cpu-throughput", "transformer-text-train-speedup"),
    ("MobileNet-v2, training", "mobilenet-v2-train-cpu-throughput", "mobilenet-v2-train-speedup"),
    ("ResNet-50, training", "resnet50-train-cpu-throughput", "resnet50-train-speedup"),
    ("ResNet-50, one pass over ImageNet (computed)", "resnet50-imagenet-epoch", ""),
)


def committed_evidence(results: Path = files.RESULTS) -> Evidence:
    """Evidence without what this machine's owner measured and has not published."""
    stored = store.load(results)
    return Evidence(stored._replace(sessions=tuple(s for s in stored.sessions if not s.is_local)), registry.workloads())


def with_numbers(readme: str, evidence: Evidence) -> str:
    """The README with the block between its markers made from the records.

    Raises:
        ValueError: the markers are missing.
    """
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"README.md: expected {START} and {END}")
    cpu, gpu, date = (lookup.lookup(name, evidence) for name in ("machine-cpu", "machine-gpu", "lead-date"))
    rows = ["| | CPU | GPU over CPU |", "| --- | --- | --- |"]
    for label, on_cpu, ratio in README_FACTS:
        if ratio and lookup.measured(ratio, evidence):
            on_cpu = f"{ratio}-cpu"  # a ratio stands beside its own CPU
        found = lookup.lookup(ratio, evidence) if ratio else None
        factor = "" if found is None else "no estimate" if found.kind == "missing" else found.text
        rows.append(f"| {label} | {lookup.lookup(on_cpu, evidence).text} | {factor} |")
    on_gpu = "" if gpu.kind == "missing" else f" GPU: {gpu.text}."
    notes = f"CPU: {cpu.text}.{on_gpu} Measured: {date.text}. Median, 95 % interval, number of processes."
    return f"{before}{START}\n" + "\n".join(rows) + f"\n\n{notes}\n{END}{after}"
