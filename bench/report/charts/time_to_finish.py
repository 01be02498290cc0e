"""Chart and table: how long familiar jobs take on our CPU and, estimated, on three graphics cards."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bench.records.store import SessionResults
from bench.report.charts import chart, marks
from bench.report.charts.paint import axes, forest
from bench.report.estimates import formula, jobs, networks, words
from bench.report.evidence.cells import is_headline
from bench.report.evidence.view import Pick
from bench.report.facts.networks import ARTICLE_IMAGES, IMAGENET_EPOCHS, IMAGENET_IMAGES
from bench.report.published import cards
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, NO_GPU, Cellv, Draft, TableScope
from bench.schema import Device, Record
from bench.workloads import registry

# What people can have for nothing, what a gamer may own, what a data centre has; by the names that people say.
CARDS = {"free T4": "Tesla T4", "RTX 4070": "GeForce RTX 4070", "A100": "A100 SXM4 40 GB"}
SOON_S = 600.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A familiar training: one that was run whole, or ``n_samples`` of a network's steady steps."""

    title: str
    workload: str
    params: Mapping[str, Any] = {}
    n_samples: int = 0
    quantity: str = "throughput"  # by which the fastest cell is chosen; of a job run whole, its time


JOBS = (
    Job(title="Handwritten digits, to 97 %", workload="cnn-digits", quantity="time_to_target"),
    Job(title="LSTM, 25,000 short texts", workload="lstm-text", n_samples=25_000),
    Job(
        title="Transfer learning, 2,000 pictures",
        workload="transfer-2000",
        params={"tuned": "head"},
        quantity="job_time",
    ),
    Job(title="Small GPT learns characters", workload="gpt-small", quantity="time_to_target"),
    Job(title="MobileNetV2, 2,000 pictures", workload="mobilenet-v2", n_samples=ARTICLE_IMAGES),
    Job(title="ResNet-50, 2,000 pictures", workload="resnet50", n_samples=ARTICLE_IMAGES),
    Job(title="Transformer as large as BERT, 10,000 texts", workload="transformer-text", params={"layers": 12},
        n_samples=10_000),
    Job(title="ResNet-50, ImageNet once", workload="resnet50", n_samples=IMAGENET_IMAGES),
    Job(title="ResNet-50, ImageNet 90 times", workload="resnet50", n_samples=IMAGENET_IMAGES * IMAGENET_EPOCHS),
)  # fmt: skip


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A job on a machine: the time on its devices, measured, and on each of ``CARDS``, estimated or refused."""

    session: SessionResults
    job: Job
    cpu: Record
    cpu_time: estimate.Estimate
    gpu: Record | None
    gpu_time: estimate.Estimate | None
    guesses: Mapping[str, formula.Estimate]
    n_steps: float


def _rows(scope: TableScope) -> Iterator[Row]:
    """Every job of every machine, by what its CPU takes."""
    for session in scope.sessions:
        found = [row for job in JOBS if job.workload in scope.workloads and (row := _row(scope, session, job))]
        yield from sorted(found, key=lambda row: row.cpu_time.value)


def _row(scope: TableScope, session: SessionResults, job: Job) -> Row | None:
    cpu, cpu_time, n_steps = _measured(scope, session, job, "cpu")
    if cpu is None or cpu_time is None:
        return None
    gpu, gpu_time, _ = _measured(scope, session, job, "gpu")
    network, guesses = networks.ours().get(registry.network(job.workload, cpu.cell.params)), {}
    own = {gpu.name for gpu in session.machine.gpus} if gpu_time is not None else set()
    for said, name in CARDS.items() if network else ():
        if network and name not in own:
            guesses[said] = formula.estimate(formula.case_of(network, cards.card(name), cpu.cell.batch_size))
    return Row(
        session=session, job=job, cpu=cpu, cpu_time=cpu_time, gpu=gpu, gpu_time=gpu_time, guesses=guesses,
        n_steps=n_steps,
    )  # fmt: skip


def _measured(
    scope: TableScope, session: SessionResults, job: Job, device: Device
) -> tuple[Record | None, estimate.Estimate | None, float]:
    """The fastest cell of a job on a device, its time, and its steps."""
    view = scope.evidence.view(session)
    every = view.records(Pick(job.workload, "train", device, params=job.params, status="ok"))
    record = select.fastest(scope, [r for r in every if job.params or is_headline(r)], job.quantity)
    if record is None:
        return None, None, 0.0
    per_epoch = record.cell.n_samples // record.cell.batch_size
    if job.n_samples:
        n_steps = jobs.steps(job.n_samples, record.cell.batch_size)
        step = quantities.step_time(record)
        return record, None if step is None else estimate.times(step, n_steps), n_steps
    n_epochs = statistics.fmean(len(run.job.epochs) for run in record.runs if run.job is not None)
    return record, quantities.named(job.quantity)(record), n_epochs * per_epoch


def _how(job: Job) -> str:
    return "steady steps times their number" if job.n_samples else "run whole"


@table.table("time-to-finish")
def time_to_finish_table(scope: TableScope) -> Draft:
    """Familiar jobs by the time on the CPU, beside what the formula expects of three graphics cards."""
    rows = [
        (
            scope.machine(row.session),
            cells.text(row.job.title),
            cells.text(_how(row.job)),
            cells.text(fmt.count(row.cpu.cell.batch_size)),
            cells.estimate(scope, row.cpu_time, row.cpu),
            _on_gpu(scope, row),
            *(_guessed(row, said) for said in CARDS),
        )
        for row in _rows(scope)
    ]
    return Draft(
        caption="Time to finish a training (lower is better). Estimates are of steady steps at the same batch, where "
        "for tiny steps they hold for TensorFlow only; start-up, compiling and loading come on top.",
        columns=(
            MACHINE,
            "job",
            "CPU's time from",
            "batch size",
            "CPU",
            "GPU",
            *(f"{said}, estimated" for said in CARDS),
        ),
        rows=rows,
    )


def _on_gpu(scope: TableScope, row: Row) -> Cellv:
    if row.gpu_time is not None:
        return cells.estimate(scope, row.gpu_time, row.gpu)
    return cells.MISSING if row.session.machine.gpus else NO_GPU


def _guessed(row: Row, said: str) -> Cellv:
    answer = row.guesses.get(said)
    if answer is None:
        return cells.MISSING
    if answer.kind == "refused":
        return cells.text(f"no estimate: {answer.reason}")
    return cells.guessed(marks.times_step(answer, row.n_steps))


@chart.chart("time-to-finish", about_gpu=True)
def time_to_finish(scope: chart.Scope) -> chart.Picture:
    """Seconds to finish familiar jobs: on the CPU, measured; on three cards, estimated."""
    rows = list(_rows(scope.of_table))
    found = [mark for row in rows for mark in _marks(scope, row)]
    n_soon = sum(row.cpu_time.value <= SOON_S for row in rows)
    if not found:
        found = [marks.absent(job.title, axes.MEASURED["cpu"], fmt.NOT_MEASURED) for job in JOBS]
    title = f"A CPU finishes {marks.of_all(n_soon, len(rows))} familiar jobs within ten minutes"
    return chart.Picture(
        title=title if rows else "Time to finish familiar jobs",
        description=marks.in_words(f"Time to finish familiar jobs{scope.place()}", found, fmt.seconds),
        rows=found,
        note="Cards: estimated at the CPU's batch, without start-up, compiling and loading."
        f" {_refused(rows)}".rstrip(),
        paint=lambda narrow: forest.forest(
            found, "time to finish (log scale, lower is better)", narrow=narrow, row_px=13, gap=0.3,
            axis=axes.spans_axis(narrow=narrow),
        ),
    )  # fmt: skip


def _marks(scope: chart.Scope, row: Row) -> Iterator[marks.Mark]:
    title = row.job.title
    for device, record, time in (("cpu", row.cpu, row.cpu_time), ("gpu", row.gpu, row.gpu_time)):
        if record is not None and time is not None:
            said = f"{device.upper()}: {marks.spoken(time.value)}"
            yield marks.estimated(scope, title, axes.MEASURED[device], time, record) | {"label": said}
    for said, answer in row.guesses.items():
        if answer.kind != "refused":
            yield marks.guessed(title, said, marks.times_step(answer, row.n_steps), said, scope.evidence.refs(row.cpu))


def _refused(rows: list[Row]) -> str:
    """Which jobs have no estimate, and the word for why."""
    refused = {
        row.job.title.partition(", ")[0]: words.why(answer.range_of)
        for row in rows
        for answer in row.guesses.values()
        if answer.kind == "refused"
    }  # fmt: skip
    return f"No estimate for {'; '.join(f'{title} ({why})' for title, why in refused.items())}." if refused else ""
