"""Facts about single networks and about extremes over all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from bench.records.store import SessionResults
from bench.report.evidence.cells import fastest
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.facts import fact, machines
from bench.report.facts.fact import Found
from bench.report.published import figures
from bench.report.stats import break_even, estimate, quantities
from bench.report.stats import format as fmt
from bench.schema import BACKENDS, Backend, Device, Record

# Training images of ImageNet (ILSVRC 2012): row imagenet-train of bench/published/datasets_and_accuracy.csv.
IMAGENET_IMAGES = 1_281_167
# Epochs of ImageNet that published ResNet-50 recipes train for: rows derived-r50-90ep-* of the same folder.
IMAGENET_EPOCHS = 90
# Images of one epoch in the article that reports "42 minutes against 33 seconds": claim a-42min-vs-33s.
ARTICLE_IMAGES = 2_000
RENTED_CORES, N_RENTED_CORES = "aws-m7g-large", 2  # the published price of a small machine, and its cores
# Sizes of a grid with a larger factor between them say where a crossing is not, and the upper one is no estimate of it.
# The reference grid's batches lie up to eight apart.
COARSE_RATIO = 8


# Derived facts: what the prose needs beyond one estimate.


@fact.fact(
    "machine-cpu",
    "the CPU of the leading session and the cores it used",
    "Read from machine.json and session.json.",
    is_place=True,
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    return Found(evidence.view(session).cores_text())


@fact.fact(
    "machine-gpu",
    "the GPU of a session that measured one",
    "Read from machine.json; as many as one of its cells used, which is one but for studies of several.",
    is_place=True,
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    records = evidence.view(session).records(Pick(device="gpu", status="ok"))
    if not records:
        return None
    fewest = min(records, key=lambda record: record.cell.n_gpus)
    return Found(fmt.with_article(evidence.view(session).gpu_text(fewest)))


@fact.fact("lead-date", "the day of the leading session", "Read from session.json.")
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    return Found(fmt.date(session.session.started_at))


@fact.fact("n-records", "records this build rests on", "Counted: cells with status ok in all sessions.", of_all=True)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    n = sum(record.status == "ok" for s in evidence.sessions for record in s.records.values())
    return Found(fmt.count(n)) if n else None


@fact.fact("n-runs", "runs this build rests on", "Counted: processes that finished, in all sessions.", of_all=True)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    runs = [run for s in evidence.sessions for record in s.records.values() for run in record.runs]
    n = sum(run.status == "ok" for run in runs)
    return Found(fmt.count(n)) if n else None


@fact.fact(
    "n-machines",
    "machines this build rests on",
    "Counted: different machine ids, of sessions with a result.",
    of_all=True,
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    n = len({s.machine.id for s in evidence.measured})
    return Found(f"{n} machine{'s' if n != 1 else ''}") if n else None


def images(name: str, title: str, n_images: int, how: str) -> None:
    """Register the time that ResNet-50 takes for so many images."""

    @fact.fact(name, f"ResNet-50 on the CPU: {title}", how)
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = evidence.view(session).best(Pick("resnet50", "train", "cpu"))
        step = None if record is None else quantities.step_time(record)
        if record is None or step is None:
            return None
        value = estimate.times(step, n_images / record.cell.batch_size)
        return Found(fmt.interval(value), fact.cells(evidence, record), value, fact.arm(record))


@fact.fact(
    "resnet50-imagenet-epoch-cost-cpu",
    "one pass of ResNet-50 over the images of ImageNet on as many rented cores as our CPU used",
    "Hours on our CPU times a published price of an hour, for each core, of another machine.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    record = evidence.view(session).best(Pick("resnet50", "train", "cpu"))
    rate = None if record is None else quantities.throughput(record)
    if record is None or rate is None:
        return None
    price = figures.lookup(RENTED_CORES)
    cost = epoch_cost(rate.value, price) / N_RENTED_CORES * record.cell.threads
    short = f"{fmt.number(cost, 2)} USD"
    return Found(f"{short} (published price)", fact.cells(evidence, record), note=priced(price), short=short)


def epoch_cost(rate: float, price: figures.Figure) -> float:
    """US dollars of a pass over ImageNet at so many images a second, rented at a published price of an hour."""
    return IMAGENET_IMAGES / rate / 3600 * float(price.value)


def priced(price: figures.Figure) -> str:
    """A published price of an hour, with whose it is and when."""
    return f"{price.text} ({price.subject}, {price.date})"


@fact.fact(
    "mobilenet-v2-vs-resnet50",
    "training throughput of MobileNet-v2 over that of ResNet-50, on the CPU",
    "One throughput divided by the other, both of one session; interval from the ends of both.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    small, large = (evidence.view(session).best(Pick(name, "train", "cpu")) for name in ("mobilenet-v2", "resnet50"))
    if small is None or large is None:
        return None
    first, second = quantities.throughput(small), quantities.throughput(large)
    if first is None or second is None:
        return None
    value = estimate.over(first, second)
    return Found(fmt.interval(value), fact.cells(evidence, small, large), value)


def extreme(name: str, word: str, place: Callable[[int], int]) -> None:
    """Register an extreme of the speed-ups over all workloads."""

    @fact.fact(
        name,
        f"{word} training speed-up of GPU over CPU over all workloads",
        "Speed-ups of all headline networks of one session in training, each device at its fastest batch and usual "
        "precision, in order.",
    )
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        contrasts = [evidence.view(session).best_contrast(Pick(workload)) for workload in evidence.model_workloads()]
        found = sorted((c for c in contrasts if c is not None), key=lambda c: c.speedup.value)
        if not found:
            return None
        chosen = found[place(len(found))]
        records = [record for c in found for record in (c.gpu, c.cpu)]
        name = f"{evidence.title(chosen.cpu.cell.workload)}, {chosen.arms}"
        text = fact.named(fmt.interval(chosen.speedup), name)
        return Found(text, fact.cells(evidence, *records), chosen.speedup)


def _grid(
    evidence: Evidence, session: SessionResults, device: Device, size: Callable[[int, int], int]
) -> dict[int, Record]:
    """The fastest record of each size of the dense network's grid, ascending; size is made of width and batch size."""
    found: dict[int, list[Record]] = {}
    for record in evidence.view(session).records(Pick("mlp-tabular", "train", device, status="ok")):
        if record.cell.precision == "float32-strict":
            key = size(int(record.cell.params["width"]), record.cell.batch_size)
            found.setdefault(key, []).append(record)
    best = {size: fastest(evidence.undisturbed(records)) for size, records in sorted(found.items())}
    return {size: record for size, record in best.items() if record is not None}


def _product(width: int, batch_size: int) -> int:
    """The size of a step that break-even is told by."""
    return width * batch_size


def _work(width: int, batch_size: int) -> int:
    """What the operations of a step grow with."""
    return width * width * batch_size


def grid_end(name: str, word: str, place: int) -> None:
    """Register an end of the grid of dense networks."""

    @fact.fact(
        name,
        f"training step of the {word} dense network of the grid, on the CPU",
        f"Steady step of the cell with the {word} product of batch size and width squared, fastest backend.",
    )
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        grid = _grid(evidence, session, "cpu", _work)
        if not grid:
            return None
        record = list(grid.values())[place]
        value = quantities.step_time(record)
        if value is None:
            return None
        cell = record.cell
        name = f"{fmt.backend(cell.backend)}, width {cell.params['width']}, batch {cell.batch_size}"
        return Found(fact.named(fmt.interval(value), name), fact.cells(evidence, record), value, fact.arm(record))


@fact.fact(
    "mlp-break-even",
    "sizes of the dense network at which the GPU trains faster than the CPU",
    "Smallest size of the grid from which the GPU's throughput stays above the CPU's, same batch and strict float32 on "
    "both, fastest backend of each; every resample of the curve has its own, and the crossing lies between the two "
    "sizes in 95 %. Where the grid is too coarse, the sizes on both sides of it instead.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    cpu, gpu = (_grid(evidence, session, device, _product) for device in ("cpu", "gpu"))
    sizes = sorted(cpu.keys() & gpu.keys())
    found = break_even.break_even_interval(sizes, [(gpu[size], cpu[size]) for size in sizes])
    if found is None:
        return None
    smaller = max((size for size in sizes if found.size is not None and size < found.size), default=None)
    if found.size is None:
        text = f"at no size up to width x batch = {fmt.count(sizes[-1])}"
    elif smaller is not None and found.size > COARSE_RATIO * smaller:
        text = f"from a width x batch between {fmt.count(smaller)} and {fmt.count(found.size)}"
    else:
        text = f"from width x batch = {fmt.count(found.size)} on"
    if (found.low, found.high) != (smaller, found.size) or "between" not in text:
        text += f" ({_between(found)})"
    records = [grid[size] for size in sizes for grid in (gpu, cpu)]
    return Found(text, fact.cells(evidence, *records), short=text.partition(" (")[0])


def _between(found: break_even.BreakEven) -> str:
    """Where a crossing lies, in words."""
    if math.isinf(found.high):
        return f"crossing above {fmt.count(found.low)}" if found.low else "the intervals leave the crossing open"
    if not found.low:
        return f"crossing at or below {fmt.count(found.high)}"
    return f"crossing between {fmt.count(found.low)} and {fmt.count(found.high)}"


@fact.fact(
    "sessions-overlap",
    "headline intervals that overlap, for every two sessions of one machine",
    "Headline cells that two sessions with equal versions measured alike; of a study its first series. Each count is "
    "of cells whose 95 % intervals overlap, for one pair of sessions; of many pairs the fewest and the most.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    pairs = machines.repeats(evidence, session)
    if not pairs:
        return None
    note = f"sessions {'; '.join(found.names for found in pairs)}"
    return Found(machines.overlap_words(pairs), machines.of_pairs(evidence, pairs), note=note)


def _by_backend(evidence: Evidence, session: SessionResults) -> dict[str, dict[Backend, Record]]:
    """Records of the CPU's headline training cells, by workload and backend; only workloads with two or more."""
    found = {
        workload: {
            backend: record
            for backend in BACKENDS
            if (record := evidence.view(session).best(Pick(workload, "train", "cpu", backend=backend))) is not None
        }
        for workload in evidence.model_workloads()
    }
    return {workload: records for workload, records in found.items() if len(records) > 1}


def winner(evidence: Evidence, records: Mapping[Backend, Record]) -> Backend | None:
    """The backend that is faster than each of the others, whatever the machine drifts; None without a clear one."""
    rates = {backend: rate for backend, record in records.items() if (rate := quantities.throughput(record))}
    first, *others = sorted(rates, key=lambda backend: -rates[backend].value)
    pairs = ([(records[b], rates[b]) for b in (first, other)] for other in others)
    return first if all(evidence.order(*pair) == "faster" for pair in pairs) else None


@fact.fact(
    "machine-drift",
    "how far the speed of a headline cell moves between sessions of the machine",
    "Standard deviation of the logarithm of a cell's value between sessions that did the same work under the same "
    "versions, pooled over cells, beyond what the cells' intervals explain.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    sd = evidence.view(session).drift
    return None if sd is None else Found(fmt.percent(math.expm1(sd)), ())


@fact.fact(
    "backend-wins",
    "on how many workloads each backend trains fastest on the CPU",
    "A backend wins a workload when its interval lies above those of all others; otherwise there is no clear winner.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    arms = _by_backend(evidence, session)
    wins = dict.fromkeys(BACKENDS, 0)
    for records in arms.values():
        if (first := winner(evidence, records)) is not None:
            wins[first] += 1
    if not arms:
        return None
    seen = [backend for backend in BACKENDS if any(backend in records for records in arms.values())]
    parts = [f"{fmt.backend(backend)} fastest on {wins[backend]}" for backend in seen]
    open_ = len(arms) - sum(wins.values())
    parts += [f"no clear winner on {open_}"] if open_ else []
    every = [record for records in arms.values() for record in records.values()]
    return Found(f"{', '.join(parts)} of {len(arms)}", fact.cells(evidence, *every))


@fact.fact(
    "backend-gap-largest",
    "largest ratio between the fastest and the slowest backend of one workload, training on the CPU",
    "Throughput of the fastest divided by that of the slowest, for each workload; the largest of these.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    gaps = []
    for workload, records in _by_backend(evidence, session).items():
        rated = [(rate.value, record) for record in records.values() if (rate := quantities.throughput(record))]
        rated.sort(key=lambda pair: -pair[0])
        first, last = rated[0][1], rated[-1][1]
        value = evidence.record_speedup(first, last)
        if value is not None:
            gaps.append((value, workload, first, last))
    if not gaps:
        return None
    value, workload, first, last = max(gaps, key=lambda gap: gap[0].value)
    pair = f"{fmt.backend(first.cell.backend)} over {fmt.backend(last.cell.backend)}"
    text = fact.named(fmt.interval(value), f"{evidence.title(workload)}, {pair}")
    return Found(text, fact.cells(evidence, first, last), value)
