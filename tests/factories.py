"""Records, machines and sessions for tests, from keyword overrides. Pure: equal arguments give equal results.

Times are invented but plausible; jitter comes from a generator seeded by the cell's id. Nothing here reaches the site.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench.records import operations
from bench.records.check import MEASURED
from bench.records.store import Results, SessionResults
from bench.report.evidence.evidence import Evidence
from bench.schema import (
    BACKENDS,
    METHOD_VERSIONS,
    Backend,
    Block,
    Cell,
    Conditions,
    Control,
    Epoch,
    Gpu,
    Job,
    Machine,
    Observed,
    PlannedCell,
    Record,
    Request,
    Run,
    Scalar,
    Session,
    Target,
    Variant,
    Workload,
)
from bench.session.arms import Host, Selection
from bench.session.cost import guess
from bench.session.plan import Plan, plan
from bench.workloads import registry

INSTALLED: Mapping[Backend, str | None] = {"tensorflow": "2", "jax": "1", "torch": "2"}


def make_plan(
    specs: Mapping[str, Workload] | None = None,
    *,
    installed: Mapping[Backend, str | None] = INSTALLED,
    n_gpus: int = 0,
    n_cores: int = 2,
    estimate: Callable[[Cell, Variant], float] = guess,
    done: Mapping[str, int] | None = None,
    **selected: Any,
) -> Plan:
    """The smoke profile's plan on an invented machine; further names are fields of a selection."""
    selection = Selection(**{"profile": "smoke"} | selected)
    host = Host(installed=installed, n_gpus=n_gpus, n_cores=n_cores)
    return plan(specs or registry.workloads(), selection, host, estimate=estimate, done=done)


class Invented(NamedTuple):
    """A workload as the factories make it: one headline variant and the speed of two invented cores at it."""

    batch_size: int
    n_samples: int
    params: Mapping[str, Scalar]
    step_s: float  # one training step, TensorFlow, two cores, jit off
    gpu_speedup: float
    n_params: int
    n_job_epochs: int = 0
    target: Target | None = None
    kind: str = "model"
    sweep: tuple[tuple[Mapping[str, Scalar], int, float], ...] = ()  # further params, batch size, seconds per step


DIGITS = Target(metric="accuracy", at_least=0.97, max_epochs=30)
BY_WIDTH = tuple(
    ({"width": width}, batch, 1.5e-3 + 2.4e-9 * width * (width + 64) * batch)
    for width in (16, 128, 1024)
    for batch in (32, 256, 2048)
    if (width, batch) != (128, 32)
)
BY_SIZE = tuple(({"n": n}, 1, 2e-5 + 2 * n**3 / 1.2e11) for n in (64, 256, 1024))
CALL_STYLES = {"predict": 40.0, "call": 2.0, "compiled": 1.0}  # series and its seconds over the invented step's
CONTROLS = {
    "cpu": (Control(n=1024, seconds=(0.02, 0.021)), Control(n=1024, seconds=(0.02, 0.022))),
    "gpu": (Control(n=4096, seconds=(0.004, 0.0041)), Control(n=4096, seconds=(0.004, 0.0042))),
}
# Fields of a run that others disturbed: the control kernel took twice as long at its end.
BUSY = {"control_before": Control(n=64, seconds=(1.0,)), "control_after": Control(n=64, seconds=(2.0,))}
INVENTED: dict[str, Invented] = {
    "call-styles": Invented(1, 1, {}, 5e-4, 0.4, 0, kind="study"),
    "cnn-digits": Invented(32, 1440, {}, 0.004, 1.6, 120_842, 0, DIGITS),
    "inception-v3": Invented(8, 32, {"image_px": 299}, 4.1, 60, 23_851_784),
    "lstm-text": Invented(64, 1024, {"units": 128}, 0.09, 9, 95_000),
    "matmul": Invented(1, 1, {"n": 4096}, 1.15, 200, 0, kind="probe", sweep=BY_SIZE),
    "mlp-tabular": Invented(32, 16384, {"width": 128}, 0.0016, 0.7, 37_761, 3, sweep=BY_WIDTH),
    "mobilenet-v2": Invented(8, 32, {"image_px": 224}, 0.9, 40, 3_538_984),
    "resnet50": Invented(
        8, 32, {"image_px": 224}, 2.6, 75, 25_636_712,
        sweep=(({"image_px": 224}, 2, 0.9), ({"image_px": 224}, 32, 9.6)),
    ),
    "transfer-2000": Invented(25, 2000, {"tuned": "head"}, 0.8, 30, 2_300_000, 1, sweep=(({"tuned": "all"}, 25, 2.4),)),
    "transformer-text": Invented(32, 512, {"width": 128}, 0.12, 12, 700_000),
}  # fmt: skip
INFERENCE = frozenset({"inception-v3", "lstm-text", "mobilenet-v2", "resnet50", "transformer-text"})
BACKEND_FACTOR = {"tensorflow": 1.0, "jax": 1.15, "torch": 0.9}
JIT_FACTOR = {"on": 1.3, "off": 1.0}
START_S = {"tensorflow": (4.2, 0.1), "jax": (2.1, 0.2), "torch": (3.3, 0.05)}
REASONS = {"skipped": "not installed", "failed": "loss is not finite", "timeout": "no result after 600 s"}
REASONS["out_of_memory"] = "killed after its memory limit was reached"


def make_workload(id: str = "resnet50", *, profile: str = "reference", **fields: Any) -> Workload:
    """SPEC of a workload in the sizes of an invented one: its headline variants first, then the sweep."""
    it, real = INVENTED[id], registry.workload(id)
    common: dict[str, Any] = {"n_job_epochs": it.n_job_epochs}
    mode = "train" if it.kind == "model" else it.kind
    variants = [Variant(mode=mode, batch_size=it.batch_size, n_samples=it.n_samples, params=dict(it.params),
                        headline=True, **common)]  # fmt: skip
    if id in INFERENCE:
        variants.append(msgspec.structs.replace(variants[0], mode="infer"))
    variants += [
        Variant(mode=mode, batch_size=batch, n_samples=it.n_samples, params=dict(params),
                n_job_epochs=it.n_job_epochs if id == "transfer-2000" else 0)
        for params, batch, _ in it.sweep
    ]  # fmt: skip
    known: dict[str, Any] = {
        "id": id,
        "title": real.title,
        "summary": real.summary,
        "kind": it.kind,
        "sample_noun": real.sample_noun,
        "data_source": real.data_source,
        "target": it.target,
        "series": tuple(series for series in real.series if series.id in CALL_STYLES),
        "variants": {profile: tuple(variants)},
    }
    return Workload(**known | fields)


def make_cell(workload: str = "resnet50", **fields: Any) -> Cell:
    """One cell: the workload's headline variant on TensorFlow, CPU, two threads, jit off."""
    it = INVENTED[workload]
    known: dict[str, Any] = {
        "workload": workload,
        "mode": make_workload(workload).variants["reference"][0].mode,
        "backend": "tensorflow",
        "device": "cpu",
        "jit": "off",
        "batch_size": it.batch_size,
        "n_samples": it.n_samples,
        "threads": 2,
        "params": dict(it.params),
    }
    return Cell(**known | fields)


def make_observed(cell: Cell, **fields: Any) -> Observed:
    """What a run of a cell saw when everything went as asked."""
    on_cpu = cell.device == "cpu"
    known: dict[str, Any] = {
        "device": cell.device,
        "device_name": "CPU" if on_cpu else "Example GPU",
        "weight_dtype": "float32",
        "output_dtype": "float32",
        "jit": cell.jit,
        "tf32": None if on_cpu else cell.precision == "tf32",
        "layout": "channels_last",
        "recurrent_path": "loop" if cell.workload == "lstm-text" else "none",
        "autotune": "default",
        "n_threads": cell.threads,
        "n_cores_affinity": cell.threads,
        "n_physical_cores": cell.threads,
        "caches": "cold: a fresh directory",
        "data_feed": "numpy arrays through model.fit",
    }
    return Observed(**known | fields)


def _n_params(cell: Cell) -> int | None:
    """Weights of the cell's network: as they were counted, where the workload has it in this size."""
    counts = operations.counts().get(operations.network(cell.workload, cell.params))
    if counts is not None:
        return int(counts["forward_step_bytes"] / 4)
    return (INVENTED[cell.workload].n_params if cell.workload in INVENTED else 0) or None


def just_now() -> str:
    """The instant at which a run starts that is launched now."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def make_run(index: int = 0, *, cell: Cell | None = None, step_s: float | Sequence[float] = 0.5, **fields: Any) -> Run:
    """One finished run; ``step_s`` is the time of a step, or one for each block of one step.

    One that did not end well has no readings but those given.
    """
    cell = cell or make_cell()
    if (status := fields.get("status", "ok")) != "ok":
        bare = {"index": index, "order": index, "reason": REASONS[status], "total_s": 1.0}
        return Run(**{"started_at": f"2026-11-03T08:{index:02d}:00+00:00"} | bare | fields)
    steps = [step_s] * 3 if isinstance(step_s, int | float) else list(step_s)
    typical = float(np.median(steps))
    imported, started = START_S[cell.backend]
    known: dict[str, Any] = {
        "index": index,
        "order": index,
        "status": "ok",
        "started_at": f"2026-11-03T08:{index:02d}:00+00:00",
        "phases_s": {
            "import": imported,
            "device_start": started,
            "data": 0.2,
            "build": 0.8,
            "first_step": typical + (6.0 if cell.jit == "on" else 2.0),
            "warmup": 4 * typical,
            "steady": float(np.sum(steps)),
            "evaluation": typical,
        },
        "warmup": tuple(Block(n_steps=1, seconds=typical * 1.1) for _ in range(3)),
        "steady": True,
        "blocks": tuple(Block(n_steps=1, seconds=float(step)) for step in steps),
        "latencies_s": tuple(float(step) * 1.2 for step in steps[:10]),
        "n_samples_per_step": cell.batch_size,
        "flop_per_step": 2.0 * float(cell.params["n"]) ** 3 if cell.workload == "matmul" else None,
        "n_params": _n_params(cell),
        "final_loss": 0.5,
        "observed": make_observed(cell),
        "control_before": CONTROLS[cell.device][0],
        "control_after": CONTROLS[cell.device][1],
        "before": make_conditions(),
        "after": make_conditions(cpu_temperature_c=61.0),
        "peak_host_bytes": 860_000_000 + 5_000_000 * cell.batch_size,
    }
    if cell.mode == "study":
        known |= {"blocks": (), "warmup": (), "latencies_s": (), "final_loss": None}
        known["series"] = {
            name: tuple(Block(n_steps=1, seconds=float(step) * factor) for step in steps)
            for name, factor in CALL_STYLES.items()
        }
        known["first_s"] = dict.fromkeys(CALL_STYLES, 0.5)
    known |= fields
    job = known.get("job")
    known.setdefault("total_s", sum(known["phases_s"].values()) + (job.seconds if job else 0.0) + 1.0)
    missing = {name: "not measured by the factory" for name in MEASURED if known.get(name) is None}
    known.setdefault("unmeasured", missing)
    return Run(**known)


def make_conditions(**fields: Any) -> Conditions:
    """A quiet machine."""
    known: dict[str, Any] = {
        "load_1min": 0.1,
        "cpu_clock_hz": 2.1e9,
        "cpu_temperature_c": 55.0,
        "gpu_clock_hz": None,
        "gpu_temperature_c": None,
        "gpu_throttle": None,
        "n_gpu_processes": None,
        "n_throttled_periods": 0,
    }
    return Conditions(**known | fields)


def make_job(
    seconds: float = 20.0, qualities: Sequence[float | None] = (None,), *, at_least: float = 0.97, return_s: float = 0.0
) -> Job:
    """A whole job of equally long epochs with the given qualities; fit returns some time after the last."""
    n = len(qualities)
    epochs = tuple(
        Epoch(loss=1.0 / (i + 1), quality=quality, at_s=seconds * (i + 1) / n, evaluation_s=0.01)
        for i, quality in enumerate(qualities)
    )
    scored = [quality for quality in qualities if quality is not None]
    return Job(epochs=epochs, seconds=seconds + return_s, reached=max(scored) >= at_least if scored else None)


def run_now(request: Request, **fields: Any) -> Run:
    """What a launcher returns for a request: a finished run that started just now."""
    given = {"cell": request.cell, "order": request.order, "started_at": just_now()}
    return make_run(request.index, **given | fields)


def make_record(
    workload: str = "resnet50",
    *,
    step_s: float | None = None,
    n_runs: int = 5,
    n_blocks: int = 30,
    jitter_frac: float = 0.02,
    status: str = "ok",
    reason: str | None = None,
    runs: Iterable[Run] | None = None,
    profile: str = "reference",
    session_date: str = "2026-11-03",
    source_hash: str = "",
    method_version: int | None = None,
    spec: Workload | None = None,
    run_fields: Mapping[str, Any] | None = None,
    **cell_fields: Any,
) -> Record:
    """A record of a cell: ``n_runs`` processes of ``n_blocks`` blocks each, jittered between and within processes.

    ``step_s`` replaces the invented time of a step, ``run_fields`` replaces fields of every run, ``runs`` all runs;
    everything else is a field of the cell.
    """
    cell = make_cell(workload, **cell_fields)
    spec = spec or make_workload(workload, profile=profile)
    common: dict[str, Any] = {
        "cell": cell,
        "spec": spec,
        "profile": profile,
        "source_hash": source_hash or registry.source_hash(workload),
        "method_version": METHOD_VERSIONS[cell.mode] if method_version is None else method_version,
    }
    if status != "ok":
        reason = REASONS[status] if reason is None else reason
        if runs is None and status != "skipped":
            began = f"{session_date}T08:00:00+00:00"
            runs = [Run(index=0, order=0, status=status, reason=reason, started_at=began, total_s=1.0)]
        return Record(status=status, reason=reason, runs=tuple(runs or ()), **common)
    if runs is None:
        step_s = invented_step_s(cell) if step_s is None else step_s
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(cell.id.encode()).digest()[:4], "big"))
        made = []
        for index in range(n_runs):
            center = step_s * (1 + jitter_frac * rng.standard_normal() / 2)
            steps = center * (1 + jitter_frac * rng.gamma(2.0, 0.5, n_blocks))
            fields: dict[str, Any] = {"started_at": f"{session_date}T08:{index:02d}:00+00:00"}
            if cell.mode == "train":
                fields["job"] = job_of(cell, spec, profile, center, rng)
            made.append(make_run(index, cell=cell, step_s=tuple(steps), **fields | dict(run_fields or {})))
        runs = made
    return Record(status="ok", reason=reason or "", runs=tuple(runs), **common)


def invented_step_s(cell: Cell) -> float:
    """Seconds per step that the factories give a cell."""
    it = INVENTED[cell.workload]
    base = it.step_s
    for params, batch, seconds in it.sweep:
        if dict(params) == dict(cell.params) and batch == cell.batch_size:
            base = seconds
    factor = BACKEND_FACTOR[cell.backend] * JIT_FACTOR[cell.jit]
    if cell.mode == "infer":
        factor /= 3
    if cell.device == "gpu":
        factor /= it.gpu_speedup * (1.6 if cell.precision == "tf32" else 1.0)
    return base * factor * (2 / cell.threads) ** (0.8 if cell.device == "cpu" else 0.0)


def make_machine(id: str = "example-2c", **fields: Any) -> Machine:
    """A machine with two cores and no GPU."""
    known: dict[str, Any] = {
        "id": id,
        "cpu_model": "Example CPU 2.1 GHz",
        "cpu_family": "ExampleVendor 6/1/1",
        "architecture": "x86_64",
        "n_physical_cores": 2,
        "n_logical_cores": 2,
        "cpu_flags": ("avx2",),
        "memory_bytes": 16 * 2**30,
        "gpus": (),
        "os": "Linux 6.1",
        "virtual": True,
    }
    return Machine(**known | fields)


def make_gpu(name: str = "Example GPU", **fields: Any) -> Gpu:
    """A GPU with 80 GB."""
    known: dict[str, Any] = {"name": name, "memory_bytes": 80_000_000_000, "power_limit_w": 700.0, "driver": "570.1"}
    return Gpu(**known | fields)


def make_session(
    records: Iterable[Record] = (), *, id: str = "2026-11-03", machine_id: str = "example-2c", **fields: Any
) -> Session:
    """A session whose plan holds the records' cells."""
    n_cores, n_repeats = fields.get("n_cores_effective", 2), fields.get("n_repeats", 5)
    known: dict[str, Any] = {
        "id": id,
        "machine_id": machine_id,
        "profile": "reference",
        "started_at": f"{id[:10]}T08:00:00+00:00",
        "seed": 0,
        "n_repeats": n_repeats,
        "versions": {"python": "3.11.2", "keras": "3.12.0", "tensorflow": "2.21.0", "jax": "0.8.0", "torch": "2.9.0"},
        "environment": {},
        "n_cores_visible": n_cores,
        "n_cores_affinity": n_cores,
        "cgroup_quota_cores": None,
        "n_cores_effective": n_cores,
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "plan": tuple(PlannedCell(cell_id=record.cell.id, n_repeats=n_repeats) for record in records),
        "unmeasured": {"cgroup_quota_cores": "no quota is set"},
    }
    return Session(**known | fields)


def make_session_results(
    records: Iterable[Record] | None = None,
    *,
    machine: Machine | None = None,
    session: Session | None = None,
    is_local: bool = False,
    session_id: str = "2026-11-03",
) -> SessionResults:
    """A session as the store loads it; by default two cores with every workload."""
    machine = machine or make_machine()
    records = make_records() if records is None else tuple(records)
    session = session or make_session(records, id=session_id, machine_id=machine.id)
    path = f"{'local/' if is_local else ''}{machine.id}/{session.id}"
    return SessionResults(machine, session, {record.cell.id: record for record in records}, is_local, path)


def in_turn(records: Iterable[Record]) -> tuple[Record, ...]:
    """Records whose runs follow each other, as those of a stored session do; each begins its day at eight."""
    clocks: dict[str, datetime] = {}
    timed = []
    for record in records:
        runs = []
        for run in record.runs:
            began = clocks.get(run.started_at[:10], datetime.fromisoformat(f"{run.started_at[:10]}T08:00:00+00:00"))
            clocks[run.started_at[:10]] = began + timedelta(seconds=run.total_s + 1)
            runs.append(msgspec.structs.replace(run, started_at=began.isoformat(timespec="milliseconds")))
        timed.append(msgspec.structs.replace(record, runs=tuple(runs)))
    return tuple(timed)


def _on(day: str, record: Record) -> Record:
    """The record with its runs on that day."""
    runs = (msgspec.structs.replace(run, started_at=f"{day}{run.started_at[10:]}") for run in record.runs)
    return msgspec.structs.replace(record, runs=tuple(runs))


def make_records(
    *, devices: Sequence[str] = ("cpu",), backends: Sequence[str] = BACKENDS, workloads: Iterable[str] = INVENTED,
    profile: str = "reference", **fields: Any,
) -> tuple[Record, ...]:  # fmt: skip
    """Every headline cell on both jit arms, and the sweeps on TensorFlow; other fields as for ``make_record``.

    JAX's Inception-v3 is skipped and PyTorch's with jit fails, so that pages meet what did not work, too.
    """
    made = []
    for id_ in workloads:
        for variant in make_workload(id_, profile=profile).variants[profile]:
            arms = (
                [(b, jit) for b in backends for jit in ("off", "on")] if variant.headline else [("tensorflow", "off")]
            )
            for backend, jit in arms:
                for device in devices:
                    for precision in ("float32-strict",) if device == "cpu" else ("float32-strict", "tf32"):
                        outcome: dict[str, Any] = {}
                        if id_ == "inception-v3" and backend == "jax":
                            outcome = {"status": "skipped", "reason": "jax is not installed: pip install '.[jax]'"}
                        elif id_ == "inception-v3" and (backend, jit) == ("torch", "on"):
                            outcome = {"status": "failed"}
                        if variant.headline or precision == "float32-strict":
                            made.append(
                                make_record(
                                    id_, backend=backend, jit=jit, device=device, precision=precision, profile=profile,
                                    mode=variant.mode, batch_size=variant.batch_size, n_samples=variant.n_samples,
                                    params=dict(variant.params), **outcome | fields,
                                )
                            )  # fmt: skip
    if "resnet50" in workloads and "cpu" in devices:
        for backend in backends:
            one = make_record("resnet50", backend=backend, profile=profile, **fields | {"threads": 1})
            made.append(one)
    return tuple(made)


def make_results(*, gpu: bool = False, local: bool = False, **fields: Any) -> Results:
    """What a results folder may hold: two cores, if asked a GPU machine and a local session; as ``make_records``."""
    sessions = [make_session_results(make_records(**fields))]
    if gpu:
        machine = make_machine(
            "gpu-16c", cpu_model="Example Server CPU", n_physical_cores=16, n_logical_cores=16, gpus=(make_gpu(),)
        )
        records = make_records(devices=("cpu", "gpu"), threads=16, **fields)
        session = make_session(records, machine_id=machine.id, id="2026-11-02", n_cores_effective=16)
        sessions.append(make_session_results(records, machine=machine, session=session))
    if local:
        machine = make_machine("own-4c", cpu_model="Reader's CPU", n_physical_cores=4, n_logical_cores=4)
        records = make_records(backends=("tensorflow",), threads=4, profile="quick", **fields | {"n_runs": 1})
        records = tuple(_on("2026-11-05", record) for record in records)
        session = make_session(
            records, machine_id=machine.id, id="2026-11-05", profile="quick", n_repeats=1, n_cores_effective=4
        )
        sessions.append(make_session_results(records, machine=machine, session=session, is_local=True))
    return Results(tuple(sessions))


def make_evidence(*sessions: SessionResults, **fields: Any) -> Evidence:
    """Evidence over the given sessions, else over ``make_results``; declares every invented workload."""
    results = Results(sessions) if sessions else make_results(**fields)
    return Evidence(results, {id_: make_workload(id_) for id_ in INVENTED})


def job_of(cell: Cell, spec: Workload, profile: str, step_s: float, rng: np.random.Generator) -> Job | None:
    """The whole job that the variant of a cell asks for; None where it has none."""
    epoch_s = step_s * cell.n_samples / cell.batch_size
    if spec.target is not None:
        n_epochs = int(rng.integers(5, 9))
        qualities = [spec.target.at_least - 0.02 * (n_epochs - 1 - i) for i in range(n_epochs)]
        return make_job(4.0 + epoch_s * n_epochs, qualities, at_least=spec.target.at_least)
    for v in spec.variants.get(profile, ()):
        same = (v.mode, v.batch_size, v.n_samples, dict(v.params))
        if v.n_job_epochs and same == (cell.mode, cell.batch_size, cell.n_samples, dict(cell.params)):
            return make_job(4.0 + epoch_s * v.n_job_epochs, (None,) * v.n_job_epochs)
    return None


def made(pages: Mapping[str, Callable[[], str]]) -> dict[str, str | bytes]:
    """Pages that were to be made."""
    return {path: make() for path, make in pages.items()}
