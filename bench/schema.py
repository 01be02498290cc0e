"""The words and the record, as frozen structs. Pure: no files, no clocks, no framework.

Units stand in the names: ``_s`` seconds, ``_bytes`` bytes, ``_j`` joules, ``_w`` watts, ``_hz`` hertz,
``_c`` degrees Celsius, ``_frac`` a share from 0 to 1; counts begin with ``n_``.
A quantity that was not measured is ``None`` and has its reason under the same name in ``unmeasured``.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, dataclass_transform, get_args

import msgspec

from bench import units

# Schema history. A bump needs an upgrade function in codec.UPGRADES and a stored old file under tests/data/.
#   1  2026-11: first version
#   2  2026-11: studies (series, first calls and readings of a run); further arms of a variant
#   3  2026-11: with defaults, a record's commit, times between epochs, physical cores, OpenMP libraries, a GPU's memory
#      that its driver does not tell; fingerprint 2 of workloads (registry.source_hash)
SCHEMA_VERSION = 3

Backend = Literal["tensorflow", "jax", "torch"]
Device = Literal["cpu", "gpu"]
Mode = Literal["train", "infer", "probe", "study"]
Kind = Literal["model", "probe", "study"]
Precision = Literal["float32-strict", "tf32", "mixed_bfloat16", "mixed_float16"]
Jit = Literal["on", "off"]
Profile = Literal["smoke", "quick", "reference"]
Status = Literal["ok", "skipped", "failed", "timeout", "out_of_memory"]
Phase = Literal["import", "device_start", "data", "build", "first_step", "warmup", "steady", "evaluation"]
Scalar = units.Integer | units.Real | str | bool

# What a number means, by mode: a change that moves predictions leaves the trainings as they are. Raise a mode's version
# when a change to the harness can move its numbers, and say so in CHANGELOG.md under "Method". Results of different
# method versions never meet in one ratio.
#   1  2026-11: blocks of at least 100 ms through model.fit, warm-up by criterion, one process per run
#   2  2026-11: predictions count until their outputs are on the host; before, until predict had returned
#   3  2026-11: in trainings the clock stands still from the last step of an epoch to the first of the next
METHOD_VERSIONS: dict[Mode, int] = {"train": 3, "infer": 2, "probe": 1, "study": 1}
METHOD_VERSION = max(METHOD_VERSIONS.values())

# Method 3 took the time between epochs out of blocks. A block that holds at most this share of an epoch seldom has such
# a time in it: two of thirty blocks at most, which do not move their median.
SHORT_BLOCK_FRAC = 1 / 15

BACKENDS: tuple[Backend, ...] = get_args(Backend)
DEVICES: tuple[Device, ...] = get_args(Device)
PROFILES: tuple[Profile, ...] = get_args(Profile)
PHASES: tuple[Phase, ...] = get_args(Phase)

SLUG = re.compile(units.SLUG)


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything that is stored: immutable, strict about unknown keys (kw_only is not inherited)."""


class DataUnavailableError(RuntimeError):
    """Raised by a workload whose data cannot be had here, with what to do about it: the run counts as skipped."""


class Data(NamedTuple):
    """Arrays of one workload, on the host, each of shape (n_samples, ...); a quality target needs the test part."""

    x: Any
    y: Any = None
    x_test: Any = None
    y_test: Any = None


class Target(Struct, kw_only=True):
    """The quality at which a workload counts as done."""

    metric: units.Words  # Keras metric name, as in model.evaluate(..., return_dict=True)
    at_least: units.Share  # the quality that counts as reached
    max_epochs: units.Number  # after which a run gives up


class Series(Struct, kw_only=True):
    """One of the things that a study times in turn in one process; the first of a workload is the baseline."""

    id: units.Slug  # key of the run's blocks
    label: units.Words  # in a table's row: "model.predict"


ReadingUnit = Literal["s", "bytes", "bytes_per_s", "flop_per_s", "per_s", "ratio", "frac", "count"]


class Reading(Struct, kw_only=True):
    """One value that a study reads once per run."""

    id: units.Slug  # key of the run's value
    label: units.Words  # in a table's row
    unit: ReadingUnit  # of every run's value


class Variant(Struct, kw_only=True):
    """One size of a workload: what a cell takes from it before backend, device and threads are chosen.

    ``backends`` and ``devices`` limit where it runs; empty means everywhere. The further arms are measured beside
    the usual one (all cores, float32-strict, the backend's first jit arm).
    """

    mode: Mode = "train"  # training, inference, probe or study
    batch_size: units.Number  # samples of a step
    n_samples: units.Number  # rows of x; a multiple of batch_size, so that every step has one shape
    params: dict[str, Scalar] = {}  # what else the workload's functions take
    n_job_epochs: units.Repeats = 0  # > 0: also time a whole job of that many epochs, from the first call of fit
    n_blocks: units.Number = 30  # steady blocks to keep
    steady_limit_s: units.Seconds = 20.0  # stop collecting blocks after this long (never under 3 blocks)
    headline: bool = False  # measured first, in every jit arm and precision that applies
    estimate_s: units.Seconds = 10.0  # seconds a run takes on two cores; only a guess for plans without records
    backends: tuple[Backend, ...] = ()  # that it runs on
    devices: tuple[Device, ...] = ()  # that it runs on
    more_threads: tuple[units.Cores, ...] = ()  # further core counts of a CPU cell, but for those the machine lacks
    more_precisions: tuple[Precision, ...] = ()  # further precisions; tf32 only on a GPU
    more_jits: tuple[Jit, ...] = ()  # further compilation arms; JAX has only "on"
    sweep: units.MaybeSlug = ""  # the question this variant or its further arms answer: "batch", "threads"


class Workload(Struct, kw_only=True):
    """A named training or inference task with fixed data, model and stopping rule (a workload file's SPEC)."""

    id: units.Slug  # its name, and that of its file
    title: units.Words  # "ResNet-50, 224 px"
    summary: units.Words  # one sentence: what is trained on what
    kind: Kind = "model"  # a model to train, a probe of the machine, or a study of several series
    sample_noun: units.Words = "samples"  # plural: "images", "rows", "sequences"
    data_source: units.Words  # where the data comes from, in words
    pretrained: bool = False  # whether it begins with weights that somebody trained
    target: Target | None = None  # the quality to reach; None where nothing is to be reached
    series: tuple[Series, ...] = ()  # of a study, in the order of its tables
    readings: tuple[Reading, ...] = ()  # of a study, what a run reads once
    variants: dict[Profile, tuple[Variant, ...]]  # its sizes by profile

    def headline_training(self, profile: Profile) -> Variant:
        """The training of a profile that is measured first; studies of the same net take its size."""
        return next(v for v in self.variants[profile] if v.mode == "train" and v.headline)


class Part(Struct):
    """Variants of a workload that have facts of their own, beside those of its headline."""

    id: str  # in a fact's id: "large"
    label: str  # in a fact's title: "of BERT-base size"
    param: str  # of the variant, or "batch_size": how they are recognised
    value: Scalar


class Names(Struct, kw_only=True):
    """What the report calls the parts of a workload (a workload file's NAMES). No record holds it."""

    parts: tuple[Part, ...] = ()
    alternatives: tuple[tuple[str, ...], ...] = ()  # groups of a study's series that do the same work: one may choose
    nets: dict[str, str] = {}  # titles of nets that are no workload of their own, by the parameter ``net``
    memory: Literal["", "by-batch", "under-cap"] = ""  # what a study finds: the memory of a batch, or the largest batch


class Cell(Struct, kw_only=True, dict=True):
    """One combination of workload, mode, backend, device, precision, jit, batch size, threads, parameters."""

    workload: units.Slug  # id of what ran
    mode: Mode = "train"  # training, inference, probe or study
    backend: Backend  # of Keras
    device: Device  # that was asked for
    precision: Precision = "float32-strict"  # of the arithmetic
    jit: Jit  # compilation by XLA
    batch_size: units.Number  # samples of a step
    n_samples: units.Number  # rows of the data
    threads: units.Cores  # cores that the process may use
    params: dict[str, Scalar] = {}  # what else tells this cell from others of its workload

    @cached_property
    def id(self) -> str:
        """Lower-case kebab name that follows from the fields; never parsed back."""
        parts = [self.workload, self.mode, self.backend, self.device, self.precision, f"jit-{self.jit}"]
        parts += [f"b{self.batch_size}", f"n{self.n_samples}", f"t{self.threads}"]
        parts += [f"{key}-{value}" for key, value in sorted(self.params.items())]
        return units.kebab("-".join(parts))

    @property
    def n_gpus(self) -> int:
        """GPUs that the cell's process uses: one, unless its parameter ``gpus`` says more; 0 on the CPU."""
        return 0 if self.device == "cpu" else n if isinstance(n := self.params.get("gpus", 1), int) else 1


class Block(Struct, kw_only=True, array_like=True):
    """Steps between two synchronisations with the device; stored as [n_steps, seconds]."""

    n_steps: units.Number  # steps in the block
    seconds: units.Elapsed  # wall time of all of them


class Epoch(Struct, kw_only=True, array_like=True):
    """One pass over the training data of a whole job; stored as [loss, quality, at_s, evaluation_s]."""

    loss: units.Loss  # on the training data
    quality: units.Share | None  # the target's metric on held-out data; None where the workload has no target
    at_s: units.Elapsed  # seconds from the call of fit to the end of this epoch's evaluation
    evaluation_s: units.Seconds  # of which spent on the held-out data in this epoch


class Job(Struct, kw_only=True):
    """A whole training job as a user would start it: fit to the target, or a fixed number of epochs."""

    epochs: Annotated[tuple[Epoch, ...], msgspec.Meta(min_length=1)]  # one after the other
    seconds: units.Elapsed  # from the call of fit to its return: compilation and evaluation included
    reached: bool | None  # None where the workload has no target

    @property
    def done_s(self) -> float:
        """Seconds from the call of fit to the end of its last epoch, with that one's evaluation."""
        return self.epochs[-1].at_s

    @property
    def return_s(self) -> float:
        """Seconds from there until fit had returned: a wait, where it is long."""
        return self.seconds - self.done_s


class Observed(Struct, kw_only=True):
    """What really ran, read from weights, outputs and settings inside the process; never what was asked for."""

    device: Device  # where the outputs were computed
    device_name: units.Words  # of a GPU as the backend calls it, else "CPU"
    weight_dtype: units.Dtype  # number format of the weights
    output_dtype: units.Dtype  # number format of the outputs
    jit: Jit  # whether XLA compiled the step
    tf32: bool | None  # None on a CPU, where it has no meaning
    layout: Literal["channels_last", "channels_first"]  # of images
    recurrent_path: Literal["none", "fused", "loop"]  # how recurrent layers ran
    autotune: str  # how the backend chooses a GPU's kernels, in words
    n_threads: units.Cores | None  # the backend's own pool for one operation
    n_cores_affinity: units.Cores | None  # that the process may run on
    n_physical_cores: units.Cores | None = None  # that those lie on; fewer where two of them are threads of one core
    openmp: tuple[str, ...] | None = None  # OpenMP libraries loaded in the process; each has threads of its own
    caches: str  # "cold: ..." in words
    data_feed: str  # "numpy arrays through model.fit"


class Control(Struct, kw_only=True):
    """The control kernel: a float32 n x n matrix product on the run's device, through the run's backend."""

    n: units.Cores  # rows and columns of each matrix
    seconds: Annotated[tuple[units.Elapsed, ...], msgspec.Meta(min_length=1)]  # of each product


class Conditions(Struct, kw_only=True):
    """The machine's state at one instant. None where the machine does not tell."""

    load_1min: units.Load | None  # the system's load over the last minute
    cpu_clock_hz: units.Hertz | None  # mean of its cores, as the system tells it
    cpu_temperature_c: units.Celsius | None  # of the processor's first sensor
    gpu_clock_hz: units.Hertz | None  # of its compute units
    gpu_temperature_c: units.Celsius | None  # of its core
    gpu_throttle: str | None  # why the driver holds its clock down, in words
    n_gpu_processes: units.Count | None  # processes other than this one on the GPU
    n_throttled_periods: units.Count | None  # cgroup cpu.stat nr_throttled so far


class Run(Struct, kw_only=True):
    """One process that executed one cell once."""

    index: units.Repeats  # repeat, from 0
    order: units.Order  # position in the session's seeded order, over all cells
    status: Status  # how it ended
    reason: str = ""  # why it is not ok
    started_at: units.Instant  # UTC, ISO 8601
    total_s: units.Seconds  # the parent's clock: from spawning the process to its end
    phases_s: dict[Phase, units.Seconds] = {}  # wall time of each phase of the process
    warmup: tuple[Block, ...] = ()  # the trace that led to the steady state, first step left out
    steady: bool | None = None  # whether the warm-up criterion was met
    blocks: tuple[Block, ...] = ()  # steady blocks
    n_blocks_dropped: units.Count = 0  # steady blocks beyond those kept
    latencies_s: tuple[units.Elapsed, ...] = ()  # blocks of one step, synchronised
    n_latencies_dropped: units.Count = 0  # single steps beyond those kept
    between_epochs_s: tuple[units.Elapsed, ...] = ()  # of a training, the clock stopped: an epoch's end to the next
    n_between_epochs_dropped: units.Count = 0  # times beyond those kept
    series: dict[units.Slug, tuple[Block, ...]] = {}  # of a study: steady blocks by series, taken in turn
    first_s: dict[units.Slug, units.Elapsed] = {}  # of a study: seconds of the first call, by series
    readings: dict[units.Slug, units.Value] = {}  # of a study: by reading, in the unit its workload declares
    n_samples_per_step: units.Count = 0  # that a step's rate counts
    flop_per_step: units.Flop | None = None  # counted by formula; only probes have it so far
    n_params: units.Count | None = None  # weights of the model
    final_loss: units.Loss | None = None  # of the last training step
    job: Job | None = None  # the whole job, where the cell times one
    observed: Observed | None = None  # what really ran
    control_before: Control | None = None  # before the steps
    control_after: Control | None = None  # after the steps
    before: Conditions | None = None  # the machine before the run
    after: Conditions | None = None  # the machine after the run
    peak_host_bytes: units.Bytes | None = None  # most memory that the process held
    peak_device_bytes: units.Bytes | None = None  # most memory that the backend held on the GPU
    energy_j: units.Joules | None = None  # of the processors or the GPU in the steady phase
    idle_w: units.Watts | None = None  # of the device while the process does nothing
    utilisation_frac: tuple[units.Share, ...] | None = None  # GPU, sampled while steady, thinned evenly
    unmeasured: dict[str, str] = {}  # field name -> why it is None


class Record(Struct, kw_only=True):
    """The stored file of a cell: raw measurements of all its runs, nothing derived."""

    schema_version: int = SCHEMA_VERSION  # of this file's form
    method_version: units.Number  # that of the cell's mode, see METHOD_VERSIONS
    cell: Cell  # what was to run
    spec: Workload  # as it stood when the cell ran; only the profile's variants are kept
    profile: Profile  # that planned it
    source_hash: units.SourceHash  # of the workload's functions, see registry.source_hash
    commit: units.CommitId | None = None  # of the code that ran the cell; None in older records: the session's
    status: Status  # how the cell ended, over all runs
    reason: str = ""  # why it is not ok
    runs: tuple[Run, ...] = ()  # one process each

    @property
    def numbers_method(self) -> int:
        """The newest method that would have given the same numbers: that of the record, or a later one.

        Trainings of method 1 whose blocks are short beside their epochs are as good as those of method 3.
        """
        if self.cell.mode == "train" and self.method_version == 1:
            n_steps = self.cell.n_samples // self.cell.batch_size
            blocks = [block for run in self.runs for block in run.blocks]
            if all(block.n_steps <= SHORT_BLOCK_FRAC * n_steps for block in blocks):
                return 3
        return self.method_version

    def shares_method(self, other: Record) -> bool:
        """Whether the numbers of both were made by one method, or would be the same if they had been."""
        return self.method_version == other.method_version or self.numbers_method == other.numbers_method


class Gpu(Struct, kw_only=True):
    """One GPU as its driver describes it."""

    name: units.Words  # as its driver calls it
    memory_bytes: units.MemorySize | None  # None where the driver does not tell, as of memory shared with the CPU
    power_limit_w: units.PowerLimit | None  # that its driver enforces
    driver: str  # version
    compute_capability: units.Capability | None = None  # NVIDIA's number for its generation


class Machine(Struct, kw_only=True):
    """One physical host; nothing personal."""

    schema_version: int = SCHEMA_VERSION  # of this file's form
    id: units.Slug  # its name in addresses
    cpu_model: units.Words  # as the system calls it
    cpu_family: str  # vendor's family/model/stepping numbers as text; tells chips with masked names apart
    architecture: units.Word  # of its instructions
    n_physical_cores: units.Cores | None  # of all its processors
    n_logical_cores: units.Cores  # threads that its cores run at once
    cpu_flags: tuple[units.Word, ...]  # only those that change results
    memory_bytes: units.Memory  # 0 where the system does not tell
    gpus: Annotated[tuple[Gpu, ...], msgspec.Meta(max_length=64)]  # those that the driver lists
    os: units.Words  # name and version
    virtual: bool | None  # whether it is a virtual machine
    unmeasured: dict[str, str] = {}  # field name -> why it is None


class PlannedCell(Struct, kw_only=True):
    """A cell of the session's plan; ``skip`` is the reason why it cannot run, or empty."""

    cell_id: units.CellId  # of the cell
    n_repeats: units.Repeats  # processes planned
    skip: str = ""  # why it cannot run


class Session(Struct, kw_only=True):
    """All cells measured on one machine in one environment on one day, described when it starts.

    The end is not here: a session may be resumed, and a stored file is never reopened; it is the latest
    ``started_at`` plus ``total_s`` of its runs.
    """

    schema_version: int = SCHEMA_VERSION  # of this file's form
    method_version: Annotated[int, msgspec.Meta(ge=1, le=METHOD_VERSION)] = (
        METHOD_VERSION  # the newest when it started; each record names its own
    )
    id: units.SessionId  # ISO date, with "-2", "-3" for later sessions of that day
    machine_id: units.Slug  # id of the machine
    profile: Profile  # that planned it
    started_at: units.Instant  # UTC, ISO 8601
    seed: units.Seed  # of the order of runs
    n_repeats: units.Repeats  # processes planned for each cell
    versions: dict[units.Package, units.Version]  # python, keras, backends, numpy, driver libraries
    environment: dict[str, str]  # variables that change results, as given to the runs
    n_cores_visible: units.Cores  # logical cores that the system shows
    n_cores_affinity: units.Cores | None  # that the process may run on
    cgroup_quota_cores: units.Quota | None  # processor time that the container may use
    n_cores_effective: units.Cores  # that a cell on all cores uses
    commit: units.CommitId | None  # of the benchmarks' code
    dirty: bool | None  # whether that code had changes beside the commit
    plan: tuple[PlannedCell, ...]  # all cells, in order
    unmeasured: dict[str, str] = {}  # field name -> why it is None


class Request(Struct, kw_only=True):
    """What the parent tells the child: one run of one cell."""

    cell: Cell
    variant: Variant
    target: Target | None
    kind: Kind
    index: int
    order: int
    seed: int
