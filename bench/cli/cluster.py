"""`run --launcher`: jobs on a cluster for each kind of machine, and the session that comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import typer

from bench.cli import options as cli_options
from bench.cli import show
from bench.doctor.facts import plural
from bench.records import files
from bench.session import shards
from bench.session.prepare import Options


def measure(
    options: Options,
    launcher: str,
    partition: list[str] | None,
    nodes: int,
    gpus_per_node: int,
    job_limit: str,
    unfit: list[str],
    *,
    dry_run: bool,
) -> NoReturn:
    """Submit a job for each workload to each kind of machine, wait for them, file a session for each kind.

    Raises:
        ValueError: what was asked for does not fit together, or cannot be submitted.
    """
    unfit = cli_options.given(cell=options.cell_ids, time_budget=options.time_budget_s) + unfit
    if unfit:
        raise ValueError(f"--launcher measures whole workloads, and `export` packs them: leave out {', '.join(unfit)}")
    (known,) = cli_options.one_of("launcher", (launcher,), shards.LAUNCHERS)
    names = cli_options.split_names(partition) or ("local",)
    if (known == "slurm") != bool(partition):
        raise ValueError("--launcher slurm needs --partition, and --launcher local has none")
    if len(names) > 1 and options.machine_id:
        raise ValueError("--machine-id names one kind of machine, and several partitions are asked for")
    limit_s = cli_options.duration_s(job_limit, "--job-limit")
    kinds = [shards.Kind(name, known, nodes, gpus_per_node, limit_s, options) for name in names]
    for kind in kinds:
        if dry_run:
            show.print_wrapped(f"{kind.name}: {', '.join(shard.workload for shard in kind.left())}")
        elif kind.folder.exists() and not options.resume:
            raise ValueError(f"{show.relative(kind.folder)} has an unfinished session: add --resume, or remove it")
    if dry_run:
        raise typer.Exit(show.OK)
    with show.measuring(options.results):
        failed = _run(kinds)
    raise typer.Exit(show.SOME_FAILED if failed else show.OK)


def _run(kinds: Sequence[shards.Kind]) -> int:
    """Submit, wait and file; the number of kinds without a whole session."""
    show.end_politely()
    failed = 0
    try:
        for kind in kinds:
            n = shards.submit(kind)
            show.progress_console.print(f"{kind.name}: {n} {plural(n, 'job', 'jobs')} submitted as {kind.job_name}")
        for n in shards.wait(kinds):
            show.progress_console.print(f"{n} {plural(n, 'workload', 'workloads')} left")
    except KeyboardInterrupt:
        show.progress_console.print("interrupted; what is in Slurm's queue goes on: --resume waits for it and files it")
        raise typer.Exit(show.SOME_FAILED) from None
    for kind in kinds:
        try:
            show.print_text(f"records: {show.relative(shards.collect(kind))}")
        except (files.RecordError, files.StoreError) as error:
            failed += 1
            show.progress_console.print(f"{kind.name}: {error}; go on with --resume", markup=False, soft_wrap=True)
    return failed
