"""Why a device is or is not used: rules over collected facts. Pure; ``bench.doctor.collect`` collects the facts.

Each rule looks at the facts and yields findings: what was seen, what it means, and what to do. A rule claims nothing
that its facts do not show. Thresholds stand at the top, each with its source.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.doctor import backends, cpu, gpu
from bench.doctor.facts import SEVERITIES, Facts, Finding, Rule, plural


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """All findings, problems first, in the order of the rules."""
    found = [finding for rule in RULES for finding in rule(facts)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


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
        "CUDA_LAUNCH_BLOCKING": ("1", "waits for every kernel: for finding errors, slow for all else"),
    }
    for name, (value, means) in meanings.items():
        if name in variables and (not value or variables[name] == value):
            yield gpu.variable_findings(name, variables[name], "note", means)


RULES: tuple[Rule, ...] = (
    gpu.gpu_findings,
    gpu.hidden_devices,
    backends.unseen_nvidia,
    gpu.architecture,
    backends.package_findings,
    gpu.apple,
    gpu.amd,
    backends.installed,
    gpu.gpu_state,
    cpu.cores_found,
    cpu.thread_variables,
    cpu.instructions,
    cpu.openmp,
    cpu.load_findings,
    cpu.memory_findings,
    cpu.surroundings,
    _other_variables,
)


def as_text(findings: tuple[Finding, ...]) -> str:
    """Findings as readable lines: what needs fixing first, what is well last."""
    blocks = []
    for finding in findings:
        lines = [f"{finding.severity:<8} {finding.seen}", f"         {finding.means}"]
        if finding.fix:
            lines.append(f"         fix: {finding.fix}")
        blocks.append("\n".join(lines))
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    problems, notes = counts["problem"], counts["note"]
    total = f"{problems} {plural(problems, 'problem', 'problems')}, {notes} {plural(notes, 'note', 'notes')}"
    return "\n".join([*blocks, total])
