"""What keeps a CPU below what it could do: rules from facts to findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bench.doctor.facts import NAMES, CoreKind, Facts, Finding, HostFacts, cores_text, gb
from bench.machine import cores
from bench.machine.cpu import SIXTEEN_BIT_FLAGS

BUSY_LOAD = 0.25  # load per usable core from which timings are disturbed
FULL_LOAD = 1.0  # from here on, every core has other work
LITTLE_MEMORY_BYTES = 4 * 10**9
SHARED_MEMORY = {
    "docker": "docker run --shm-size=2g ...",
    "podman": "podman run --shm-size=2g ...",
    "kubernetes": "mount an emptyDir with medium: Memory at /dev/shm in the pod",
    "apptainer": "it is the host's: ask whose machine it is",
}
SMALL_SHM_BYTES = 512 * 2**20  # Docker gives 64 MB, which PyTorch's loader processes fill at once


def thread_variables(facts: Facts) -> Iterator[Finding]:
    """Variables that set another number of threads than there are cores."""
    host, usable = facts.host, facts.host.n_effective
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        value = facts.variables.get(name, "")
        if not value.isdigit():
            continue
        number = int(value)
        if number > usable:
            yield Finding(
                id=name.lower().replace("_", "-"),
                severity="problem",
                seen=f"{name}={number}, and {cores_text(usable)} may be used",
                means="more threads than cores take turns and wait for each other",
                fix=f"export {name}={usable}",
            )
        elif 0 < number < usable and number not in _fast_counts(host):
            yield Finding(
                id=name.lower().replace("_", "-"),
                severity="note",
                seen=f"{name}={number}, and {cores_text(usable)} may be used",
                means="the rest of the cores stay idle in the libraries that obey it",
                fix=_thread_fix(host, name),
            )
    yield from _over_quota(facts)


def _thread_fix(host: HostFacts, name: str) -> str:
    kinds = core_kinds(host)
    if len(kinds) < 2:
        return f"unset {name}"
    return f"export {name}={min(kinds[0].n_cores, host.n_effective)}, the fast cores alone, and compare"


def _fast_counts(host: HostFacts) -> set[int]:
    """Numbers of threads that leave slow cores, or second threads of a core, idle on purpose."""
    kinds = core_kinds(host)
    return {kinds[0].n_cores, kinds[0].n_threads} if len(kinds) > 1 else {host.n_physical or 0}


def _over_quota(facts: Facts) -> Iterator[Finding]:
    host, usable = facts.host, facts.host.n_effective
    quota_below = host.quota_cores is not None and host.quota_cores < (host.n_affinity or host.n_visible)
    if quota_below and "OMP_NUM_THREADS" not in facts.variables:
        yield Finding(
            id="threads-over-quota",
            severity="problem",
            seen=f"a CPU limit of {host.quota_cores:g} cores on {host.n_affinity or host.n_visible} visible ones, "
            "and no thread variable",
            means="thread pools are made for the visible cores and then held back by the limit",
            fix=f"export OMP_NUM_THREADS={usable} TF_NUM_INTRAOP_THREADS={usable}; for JAX: "
            + (f"taskset -c 0-{usable - 1} python ..." if host.n_affinity in (None, host.n_visible) else "taskset")
            + " (our own runs do both)",
        )


# The processor.


def cores_found(facts: Facts) -> Iterator[Finding]:
    """How many cores may be used, and what limits them."""
    host = facts.host
    limits = []
    if host.n_affinity is not None and host.n_affinity < host.n_visible:
        limits.append(f"affinity allows {host.n_affinity}")
    if host.quota_cores is not None:
        limits.append(f"the CPU limit pays for {host.quota_cores:g}")
    seen = f"{host.cpu_model or 'CPU'}: {cores_text(host.n_effective)} usable of {host.n_visible}"
    yield Finding(
        id="cores",
        severity="note" if limits else "ok",
        seen=seen + (f" ({', '.join(limits)})" if limits else ""),
        means="less than the whole machine" if limits else "all cores may be used",
    )
    kinds = core_kinds(host)
    if len(kinds) > 1:
        fast = kinds[0]
        counts = [f"{cores_text(kind.n_cores)} with {kind.n_threads} threads" for kind in kinds]
        yield Finding(
            id="unlike-cores",
            severity="note",
            seen=f"cores of {len(kinds)} kinds, fast ones first: {', '.join(counts)}",
            means="work that is divided evenly waits for the slow ones",
            fix=f"compare with the fast ones alone: --threads {min(fast.n_cores, host.n_effective)}, or: --threads fast"
            + (" (our runs take them first)" if host.system == "Linux" else ""),
        )
    elif host.n_physical and host.n_visible > host.n_physical:
        yield Finding(
            id="smt",
            severity="note",
            seen=f"{host.n_visible} logical on {host.n_physical} physical cores",
            means="two hardware threads share one core's arithmetic: matrix work gains little from the second",
            fix=f"compare with --threads {min(host.n_physical, host.n_effective)}",
        )
    if host.n_throttled:
        yield Finding(
            id="quota-throttling",
            severity="note",
            seen=f"the CPU limit has stopped this container {host.n_throttled:,} times since it started",
            means="a stopped process waits up to a tenth of a second each time",
            fix="raise the limit, or use fewer threads than it pays for",
        )


def core_kinds(host: HostFacts) -> tuple[CoreKind, ...]:
    """The kinds of cores, fastest first; where the system tells no speeds, the counts tell."""
    counted = cores.kinds_by_counts(host.n_visible, host.n_physical, host.cpu_model)
    return host.core_kinds or tuple(CoreKind(n_cores=n, n_threads=threads) for n, threads in counted)


def instructions(facts: Facts) -> Iterator[Finding]:
    """Instruction sets that decide how fast a matrix product can be."""
    host, flags = facts.host, set(facts.host.cpu_flags)
    if not flags:
        yield Finding(
            id="instructions",
            severity="note",
            seen="the CPU's instruction flags cannot be read",
            means="nothing can be said about AVX and bfloat16",
        )
        return
    if host.architecture.lower().startswith(("x86_64", "amd64")):
        if "avx" not in flags:
            yield Finding(
                id="no-avx",
                severity="problem",
                seen="no AVX",
                means="TensorFlow's and JAX's wheels do not start on this CPU ('illegal instruction')",
                fix="on a virtual machine: pass the host's CPU through (QEMU: -cpu host); else use PyTorch",
            )
        elif "avx2" not in flags:
            yield Finding(
                id="no-avx2",
                severity="note",
                seen="AVX without AVX2",
                means="matrix products run at about half the rate per clock of a CPU with AVX2 and FMA",
            )
        else:
            wide = [name for name in ("avx512f", "avx512_vnni", "amx_tile") if name in flags]
            yield Finding(
                id="instructions",
                severity="ok",
                seen=", ".join(["avx2", *wide]),
                means="libraries choose their kernels at run time; the line 'not compiled to use' in TensorFlow's "
                "log is no error",
            )
    if flags & SIXTEEN_BIT_FLAGS["mixed_bfloat16"]:
        with_amx = ", AMX" if "amx_bf16" in flags else ""
        yield Finding(id="bf16", severity="ok", seen=f"bfloat16 instructions{with_amx}", means="mixed_bfloat16 can pay")
    else:
        yield Finding(
            id="no-bf16",
            severity="note",
            seen="no bfloat16 instructions (AVX512_BF16, AMX, Arm BF16)",
            means="mixed_bfloat16 is emulated on this CPU: right results, usually slower than float32",
            fix="keep float32 on the CPU",
        )


def load_findings(facts: Facts) -> Iterator[Finding]:
    """What else computes now."""
    host = facts.host
    if host.load_1min is None:
        return
    per_core = host.load_1min / host.n_effective
    if per_core < BUSY_LOAD:
        yield Finding(id="load", severity="ok", seen=f"load {host.load_1min:.2f}", means="the machine is quiet")
        return
    yield Finding(
        id="load",
        severity="problem" if per_core >= FULL_LOAD else "note",
        seen=f"load {host.load_1min:.2f} on {cores_text(host.n_effective)} over the last minute",
        means="other work takes part of the cores: timings taken now are too slow",
        fix="close what runs (top shows it), then wait a minute",
    )


def memory_findings(facts: Facts) -> Iterator[Finding]:
    """Little free memory, or a container's limit."""
    host = facts.host
    limit_bytes = host.memory_limit_bytes
    if limit_bytes is not None and host.memory_bytes is not None and limit_bytes < host.memory_bytes:
        yield Finding(
            id="memory-limit",
            severity="note",
            seen=f"this container may use {gb(limit_bytes)} of {gb(host.memory_bytes)}",
            means="a process that takes more is killed without a message",
        )
    if host.free_bytes is not None and host.free_bytes < LITTLE_MEMORY_BYTES:
        yield Finding(
            id="memory",
            severity="note",
            seen=f"{gb(host.free_bytes)} of memory free",
            means="the larger workloads may be killed or swap",
            fix="close what uses it",
        )
    if host.shm_bytes is not None and host.shm_bytes < SMALL_SHM_BYTES and host.container:
        yield Finding(
            id="shared-memory",
            severity="note",
            seen=f"/dev/shm holds {host.shm_bytes / 2**20:.0f} MiB",
            means="PyTorch's loader processes pass batches through it and die with a bus error when it is full",
            fix=SHARED_MEMORY.get(host.container, SHARED_MEMORY["docker"]),
        )


def surroundings(facts: Facts) -> Iterator[Finding]:
    """WSL, containers, battery and power profiles."""
    host = facts.host
    if host.wsl:
        yield Finding(
            id="wsl",
            severity="ok",
            seen="Linux under Windows (WSL)",
            means="TensorFlow can use an NVIDIA GPU here; files under /mnt/c are slow",
        )
    if host.container:
        yield Finding(
            id="container",
            severity="ok",
            seen=f"inside a container ({host.container})",
            means="cores, memory and GPUs are what the container was given",
        )
    if host.on_battery:
        yield Finding(
            id="battery",
            severity="note",
            seen="running on battery",
            means="clocks are lower than on the mains",
            fix="plug it in before measuring",
        )
    if host.power_profile in ("powersave", "power-saver", "low-power", "quiet"):
        yield Finding(
            id="power-profile",
            severity="note",
            seen=f"power profile {host.power_profile!r}",
            means="the processor may stay below its highest clock (with Intel's and AMD's own drivers it need not)",
            fix="powerprofilesctl set performance",
        )


def openmp(facts: Facts) -> Iterator[Finding]:
    """Several OpenMP libraries in one process."""
    for backend in facts.backends:
        kinds = sorted(set(backend.openmp))
        if len(kinds) > 1:
            yield Finding(
                id=f"{backend.name}-openmp",
                severity="note",
                seen=f"{NAMES[backend.name]} with Keras loads two OpenMP runtimes: {', '.join(kinds)}",
                means="each keeps its own threads: together they can take more cores than there are",
                fix=f"export OMP_NUM_THREADS={facts.host.n_effective}; do not mix conda's and pip's packages",
            )
