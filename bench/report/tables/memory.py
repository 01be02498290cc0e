"""Tables of memory: the largest batch, and caps that were tried."""

from __future__ import annotations

from bench import grouped
from bench.report.evidence import memory
from bench.report.stats import format as fmt
from bench.report.tables import cells, table
from bench.report.tables.table import MACHINE, Cellv, Draft, TableScope

FEW_CARDS = (4, 8, 16, 24)  # GB, for a table that one reads at a glance


@table.table("largest-batch")
def largest_batch(scope: TableScope) -> Draft:
    """Largest batch under the memory of common cards, from a straight line through peaks at two batches.

    Left out are half precision on a CPU, which has no memory to save by it, and small nets that compute nothing.
    """
    rows = []
    for session in scope.sessions:
        for growth in memory.growths(scope.evidence, session):
            cell = growth.small.cell
            is_half = cell.precision != "float32-strict"
            is_idle = (cell.device == "cpu" and is_half) or (growth.is_flat and cell.workload == "memory")
            if cell.workload not in scope.workloads or is_idle:
                continue
            refs = scope.evidence.refs(growth.small, growth.large)
            batches = [_batch_text(growth.largest_batch(card)) for card in memory.CARDS_BYTES]
            batches = ["not computed"] * len(batches) if growth.is_flat else batches
            read = [fmt.count(record.cell.batch_size) for record in (growth.small, growth.large)]
            fixed = fmt.bytes_(growth.fixed_bytes) if growth.fixed_bytes else "too small to tell"
            precision = f", {cell.precision}" if is_half else ""
            rows.append((
                scope.machine(session),
                cells.text(growth.title),
                cells.text(f"{cells.arm_text(cell.backend, cell.device)}{precision}"),
                *(Cellv(text=words, cells=refs) for words in batches),
                Cellv(text=fixed, cells=refs),
                Cellv(text=fmt.bytes_(growth.per_sample_bytes), cells=refs),
                cells.text(" and ".join(read)),
            ))  # fmt: skip
    sizes = (f"{size} GB" for size in memory.CARD_SIZES_GB)
    return Draft(
        caption="Largest batch, rounded down to a power of two: (card - fixed part) / part of each sample.",
        columns=(MACHINE, "network", "read on", *sizes, "fixed part", "of each sample", "batches read"),
        rows=rows,
    )


@table.table("what-fits")
def what_fits(scope: TableScope) -> Draft:
    """Largest batch by network on four cards, from the framework that takes most to the one that takes least.

    Only networks that a study read alone count, and of those no frameworks whose peak does not grow with the batch.
    """
    rows = []
    devices: set[str] = set()
    for session in scope.sessions:
        read = [g for g in memory.growths(scope.evidence, session) if g.small.cell.workload in scope.workloads]
        strict = (g for g in read if g.small.cell.precision == "float32-strict" and not (g.is_whole or g.is_flat))
        by_network = grouped(strict, lambda growth: growth.title)
        largest = {title: [g.largest_batch(FEW_CARDS[-1] * 10**9) for g in same] for title, same in by_network.items()}
        for title in sorted(by_network, key=lambda title: (min(largest[title]), title)):
            same = by_network[title]
            devices.update(growth.small.cell.device for growth in same)
            refs = scope.evidence.refs(*(record for growth in same for record in (growth.small, growth.large)))
            found = [sorted({growth.largest_batch(size * 10**9) for growth in same}) for size in FEW_CARDS]
            shown = (" to ".join(map(_batch_text, dict.fromkeys((ends[0], ends[-1])))) for ends in found)
            rows.append((scope.machine(session), cells.text(title), *(Cellv(text=one, cells=refs) for one in shown)))
    how = " Computed from the memory that training takes on a CPU." if devices == {"cpu"} else ""
    return Draft(
        caption=f"Largest batch that trains with Adam in float32; a range where the frameworks differ.{how}",
        columns=(MACHINE, "network", *(f"{size} GB" for size in FEW_CARDS)),
        rows=rows,
    )


@table.table("real-caps")
def real_caps(scope: TableScope) -> Draft:
    """The largest batch found by trying under a real cap, beside the one that readings at two batches compute."""
    rows = []
    for session in scope.sessions:
        for capped in memory.caps(scope.evidence, session):
            cell, line = capped.record.cell, capped.growth
            if cell.workload not in scope.workloads:
                continue
            found = scope.evidence.refs(capped.record)
            read = scope.evidence.refs(capped.record, line.small, line.large) if line else ()
            rows.append((
                scope.machine(session),
                cells.text(capped.title),
                cells.text(f"{cells.arm_text(cell.backend, cell.device)}, {cell.precision}"),
                Cellv(text=fmt.bytes_(capped.cap_bytes), cells=found),
                cells.MISSING if capped.room_bytes is None else Cellv(text=fmt.bytes_(capped.room_bytes), cells=found),
                cells.MISSING if capped.computed is None else Cellv(text=_batch_text(capped.computed), cells=read),
                Cellv(text=_batch_text(capped.largest), cells=found),
                cells.text("none tried") if capped.too_large is None else Cellv(
                    text=fmt.count(capped.too_large), cells=found),
            ))  # fmt: skip
    return Draft(
        caption="Largest batch under a real cap, doubled until it failed, beside the one computed for the same room.",
        columns=(MACHINE, "network", "tried on", "cap", "left for the net", "computed", "found", "did not fit"),
        rows=rows,
    )


def _batch_text(n: int) -> str:
    return fmt.count(n) if n else "does not fit"
