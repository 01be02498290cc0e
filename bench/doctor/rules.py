"""Why a device is or is not used: rules over collected facts. Pure; ``bench.doctor.collect`` collects the facts.

Each rule looks at the facts and yields findings: what was seen, what it means, and what to do. A rule claims nothing
that its facts do not show. What another finding explains is folded under that one, and no command is printed that
would make this machine worse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from bench.doctor import backends, cpu, fixes, gpu, harm, nvidia, vendors
from bench.doctor.facts import SAYS, SEVERITIES, Facts, Finding, GpuFacts, Rule, plural
from bench.schema import Struct

# Finding by finding, its consequences: patterns of ids. \g<backend> is the backend that both are about.
BACKEND = r"(?P<backend>tensorflow|jax|torch)"
UNUSED = r"(tensorflow|jax|torch)-(cpu|unseen|no-device|cuda-driver-library|plugin|and-cuda|libraries|no-permission)"
CONSEQUENCES = (
    (r"nvidia-(?!binding).*", UNUSED),
    (r"cuda-visible-devices|nvidia-visible-devices", rf"{UNUSED}|(tensorflow|jax|torch)-rocm"),
    (r"nvidia-not-given", r"cuda-visible-devices"),
    (r"hip-visible-devices|rocr-visible-devices", r"(tensorflow|jax|torch)-(cpu|rocm|rocm-no-device)"),
    (r"oneapi-device-selector", r"intel-gpu|torch-(cpu|xpu-no-device)"),
    (r"jax-platforms", r"jax-(cpu|unseen|plugin|driver|libraries|no-device|plugin-version)"),
    (r"jetson", r"(tensorflow|jax|torch)-(cpu|unseen|cpu-wheel|architecture|no-kernel)"),
    (r"rocm-driver|intel-gpu", r"(tensorflow|jax|torch)-(cpu|xpu-no-device|rocm-no-device)"),
    (
        rf"{BACKEND}-architecture",
        r"\g<backend>-(keras|cpu|gpu|broken|no-kernel|unseen|portable-code|compiles-first|driver)",
    ),
    (rf"{BACKEND}-metal", r"\g<backend>-(cpu|broken|metal-plugin|module-missing|keras)"),
    (rf"{BACKEND}-(?!cpu$|gpu$|absent$|openmp$|compiles-first$).*", r"\g<backend>-cpu"),
    (rf"{BACKEND}-plugin-version", r"\g<backend>-rocm"),
    (rf"{BACKEND}-(rocm|plugin-version|windows|cpu-wheel)", r"\g<backend>-(unseen|keras|rocm-no-device|no-kernel)"),
    (rf"{BACKEND}-(twice|gpu-package|directml|windows)", r"\g<backend>-(broken|unseen|keras|module-missing|windows)"),
    (rf"{BACKEND}-(keras|no-kernel|portable-code|driver)", r"\g<backend>-compiles-first"),
    (rf"{BACKEND}-python", r"\g<backend>-absent|no-backend"),
    (r"rosetta", r"(tensorflow|jax|torch)-(translated|cpu|absent|python)|no-avx|no-backend|instructions"),
    (r"no-backend", r"keras-backend"),
    (r"no-avx", r"(tensorflow|jax)-illegal-instruction"),
    (r"gpu-memory", r"(tensorflow|jax|torch)-out-of-memory"),
    (r"threads-over-quota|omp-num-threads", r"quota-throttling"),
)


def sane(facts: Facts) -> Facts:
    """Facts without numbers that cannot be: a memory below zero is not read, and so is no load and no limit."""

    def sound(one: Struct, *names: str) -> dict[str, None]:
        return {name: None for name in names if (value := getattr(one, name)) is not None and not value >= 0}

    def card(gpu: GpuFacts) -> GpuFacts:
        bad = sound(gpu, "memory_bytes", "free_bytes", "n_processes")
        return msgspec.structs.replace(gpu, name=gpu.name.strip() or "a GPU without a name", **bad)

    host = facts.host
    bad = sound(host, "memory_bytes", "free_bytes", "memory_limit_bytes", "shm_bytes", "load_1min", "n_throttled")
    host = msgspec.structs.replace(host, gpus=tuple(map(card, host.gpus)), n_effective=max(1, host.n_effective), **bad)
    return msgspec.structs.replace(facts, host=host)


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """All findings, problems first, in the order of the rules."""
    facts = sane(facts)
    found = [
        msgspec.structs.replace(finding, fix=fixes.spoken(harm.checked(finding.fix, facts), facts.host.system))
        for rule in RULES
        for finding in rule(facts)
    ]
    return tuple(sorted(folded(found), key=lambda finding: SEVERITIES.index(finding.severity)))


def folded(found: list[Finding]) -> list[Finding]:
    """Findings without those that another one explains, each of which becomes a line of the one that does."""
    causes: dict[int, int] = {}
    for cause, consequence in CONSEQUENCES:
        for number, finding in enumerate(found):
            match = re.fullmatch(cause, finding.id)
            if match is None or finding.severity == "ok":
                continue
            name = match.groupdict().get("backend") or ""
            pattern = consequence.replace(r"\g<backend>", name)
            for other, candidate in enumerate(found):
                weighs_less = SEVERITIES.index(candidate.severity) >= SEVERITIES.index(finding.severity)
                if (
                    other != number
                    and weighs_less
                    and re.fullmatch(pattern, candidate.id)
                    and _root(causes, number) != other
                ):
                    causes.setdefault(other, number)
    kept = []
    for number, finding in enumerate(found):
        if number not in causes:
            told = [finding.seen]
            for other in sorted(causes):
                if _root(causes, other) == number:
                    told.append(_short(found[other].seen, told))
            kept.append(msgspec.structs.replace(finding, follows=tuple(dict.fromkeys(told[1:]))))
    return kept


def _short(seen: str, told: list[str]) -> str:
    """What was seen of a consequence, without words that are quoted already."""
    own, _, words = seen.partition(SAYS)
    return own if any(words.rstrip('"') in text for text in told) else seen


def _root(causes: dict[int, int], number: int) -> int:
    while number in causes:
        number = causes[number]
    return number


def has_problem(findings: tuple[Finding, ...]) -> bool:
    """Whether anything needs fixing."""
    return any(finding.severity == "problem" for finding in findings)


def _other_variables(facts: Facts) -> Iterator[Finding]:
    variables = facts.variables
    meanings = {
        "TF_ENABLE_ONEDNN_OPTS": ("0", "TensorFlow uses its older CPU kernels; convolutions are usually slower"),
        "KMP_DUPLICATE_LIB_OK": ("", "silences the crash that two OpenMP runtimes cause; results may be slow or wrong"),
        "TF_USE_LEGACY_KERAS": ("", "tf.keras is then Keras 2, another program than Keras 3"),
        "NVIDIA_TF32_OVERRIDE": ("", "forces TF32 on or off below every framework's own setting"),
        "XLA_FLAGS": ("", "changes how JAX and jit_compile build programs"),
        "HSA_OVERRIDE_GFX_VERSION": ("", "claims another AMD chip than the one there: it can work, crash or be wrong"),
        "PYTORCH_ENABLE_MPS_FALLBACK": ("1", "what Metal lacks runs on the CPU, silently and slowly"),
        "CUDA_LAUNCH_BLOCKING": ("1", "waits for every kernel: for finding errors, slow for all else"),
    }
    for name, (value, means) in meanings.items():
        if name in variables and (not value or variables[name] == value):
            yield gpu.variable_findings(name, variables[name], "note", means)


RULES: tuple[Rule, ...] = (
    nvidia.cards,
    nvidia.shared_memory,
    nvidia.driver,
    nvidia.jetson,
    gpu.none_seen,
    gpu.other_cards,
    gpu.hidden_devices,
    backends.python,
    backends.unseen_nvidia,
    nvidia.architecture,
    backends.package_findings,
    vendors.apple,
    vendors.amd,
    vendors.intel,
    backends.installed,
    nvidia.state,
    nvidia.unlike_cards,
    cpu.cores_found,
    cpu.thread_variables,
    cpu.instructions,
    cpu.openmp,
    cpu.load_findings,
    cpu.memory_findings,
    cpu.surroundings,
    _other_variables,
    gpu.refused,
)


def as_text(findings: tuple[Finding, ...], *, show_all: bool = False) -> str:
    """Findings as readable lines: what needs fixing first, what is well last, in one line where nobody says more."""
    plain = [finding for finding in findings if finding.severity == "ok" and SAYS not in finding.seen]
    short = () if show_all or len(plain) < 2 else plain
    blocks = []
    for finding in (finding for finding in findings if finding not in short):
        lines = [f"{finding.severity:<8} {finding.seen}", f"         {finding.means}"]
        if finding.fix:
            lines.append(f"         fix: {finding.fix}")
        lines += [f"         so: {text}" for text in finding.follows]
        blocks.append("\n".join(lines))
    if short:
        blocks.append(f"ok       {len(short)} things, which --all explains: {'; '.join(item.seen for item in short)}")
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    problems, notes = counts["problem"], counts["note"]
    total = f"{problems} {plural(problems, 'problem', 'problems')}, {notes} {plural(notes, 'note', 'notes')}"
    blocks += [f"facts to paste where you ask:\n{text}" for text in dict.fromkeys(f.paste for f in findings if f.paste)]
    return "\n".join([*blocks, total])
