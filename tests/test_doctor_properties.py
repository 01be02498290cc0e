"""Whatever the machine: the doctor answers, prints no command that does harm, and drops no word that was said."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.doctor import rules, said
from bench.doctor.facts import BackendFacts, Facts, GpuFacts, HostFacts
from bench.records.codec import encode

CARDS = {
    "Tesla K80": "3.7",
    "NVIDIA GeForce GTX 960": "5.2",
    "NVIDIA GeForce GTX 1080": "6.1",
    "Tesla V100-SXM2-16GB": "7.0",
    "Tesla T4": "7.5",
    "NVIDIA A100-SXM4-40GB": "8.0",
    "NVIDIA GeForce RTX 4070": "8.9",
    "NVIDIA H200": "9.0",
    "NVIDIA GeForce RTX 5090": "12.0",
    "NVIDIA GB10": "12.1",
    "Orin (nvgpu)": "8.7",
}
ARCHITECTURES = (
    (),
    ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"),
    ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"),
    ("sm_80", "sm_90", "compute_90"),
)
WORDS = (
    "",
    "CUDA initialization: Error 802: system not yet initialized",
    "Error 804: forward compatibility was attempted on non supported HW",
    "The NVIDIA driver on your system is too old (found version 11040)",
    "CUDA unknown error - this may be due to an incorrectly set up environment",
    "no kernel image is available for execution on the device",
    "HIP error: invalid device function",
    "XPU device count is zero!",
    "Unable to open /dev/kfd read-write: Permission denied",
    "UNIMPLEMENTED: default_memory_space is not supported.",
    "libcudnn.so.9: cannot open shared object file",
    "Outdated cuDNN installation found.",
    "A module that was compiled using NumPy 1.x cannot be run in NumPy 2",
    "KeyError: 'getpwuid(): uid not found: 1042'",
    "DLL load failed while importing _C",
    "ended by signal 4 (SIGILL)",
    "version `GLIBCXX_3.4.32' not found",
    "the moon is in the wrong house",
)
QUIET = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
VERSIONS = {
    "tensorflow": ("2.10.1", "2.14.0", "2.16.2", "2.21.0"),
    "jax": ("0.4.34", "0.5.0", "0.8.2", "0.10.2"),
    "torch": ("2.2.2", "2.8.0+cu128", "2.10.0+rocm7.1", "2.6.0+xpu", "2.11.0+cpu", "2.15.0"),
}


@st.composite
def backends(draw, name, is_mac):
    if draw(st.booleans()) and draw(st.booleans()):
        return BackendFacts(name=name)
    version = draw(st.sampled_from(VERSIONS[name])).partition("+" if is_mac else "?")[0]
    rocm = "7.1" if "rocm" in version else ""
    xpu = "20250000" if "xpu" in version else ""
    cuda = "" if is_mac or rocm or xpu or "cpu" in version else draw(st.sampled_from(["", "11.8", "12.8", "13.0"]))
    names = (
        ["AMD Radeon Graphics"]
        if rocm
        else ["Intel(R) Arc(TM) B580 Graphics"]
        if xpu
        else ["mps"]
        if is_mac
        else list(CARDS)
    )
    return BackendFacts(
        name=name,
        installed=True,
        version=version,
        gpus=tuple(draw(st.lists(st.sampled_from(names), max_size=1))),
        error=draw(st.sampled_from(WORDS)),
        keras_error=draw(st.sampled_from(WORDS)),
        log=draw(st.sampled_from(WORDS)),
        cuda=cuda,
        rocm=rocm,
        xpu=xpu,
        architectures=("gfx1100", "gfx90a") if rocm else draw(st.sampled_from(ARCHITECTURES)) if cuda else (),
        keras_placed=draw(st.sampled_from(["", "cpu", "gpu"])),
    )


@st.composite
def machines(draw):
    """Facts of machines, likely and unlikely ones."""
    system = draw(st.sampled_from(["Linux", "Linux", "Windows", "Darwin"]))
    on_linux = system == "Linux"
    names = draw(st.lists(st.sampled_from(list(CARDS)), max_size=2)) if system != "Darwin" else []
    nvml = "answers" if names else draw(st.sampled_from(["", "answers", "silent", "no library", "no binding"]))
    is_board = on_linux and draw(st.booleans()) and draw(st.booleans())
    has_amd = on_linux and not is_board
    known = draw(st.sampled_from(["11.4", "12.4", "12.9", "13.0"])) if nvml == "answers" else ""
    host = HostFacts(
        system=system,
        wsl=on_linux and draw(st.booleans()) and draw(st.booleans()),
        container=draw(st.sampled_from(["", "docker"])) if on_linux else "",
        remote=draw(st.booleans()),
        board="NVIDIA Jetson Orin Nano Developer Kit" if is_board else "",
        python=draw(st.sampled_from(["", "3.9.1", "3.11.7", "3.13.2", "3.14.0", "3.15.0"])),
        architecture=draw(st.sampled_from(["x86_64", "arm64"])),
        cpu_flags=draw(st.sampled_from([(), ("sse4_2",), ("avx", "avx2")])),
        n_visible=draw(st.sampled_from([1, 8, 20])),
        n_effective=draw(st.sampled_from([1, 8, 20])),
        n_physical=draw(st.sampled_from([None, 1, 4, 14])),
        quota_cores=draw(st.sampled_from([None, None, 1.0])),
        gpus=tuple(
            GpuFacts(name=name, compute_capability=draw(st.sampled_from([CARDS[name], None])), mig=draw(st.booleans()))
            for name in names
        ),
        driver="550.1" if nvml == "answers" else "",
        driver_cuda=known,
        driver_error=draw(st.sampled_from(["Unknown Error", "Driver Not Loaded", "green cheese"])) * (nvml == "silent"),
        nvml=nvml,
        kernel_module=draw(st.sampled_from(["", "550.1"])) if on_linux else "",
        pci_gpus=tuple(draw(st.lists(st.sampled_from(["0x10de", "0x1002", "0x8086", "0x1234"]), max_size=2))),
        has_kfd=has_amd and draw(st.booleans()),
        may_render=draw(st.sampled_from([None, True, False])),
        gfx=draw(st.sampled_from([(), ("gfx1151",), ("gfx1100",), ("gfx803",)])) if has_amd else (),
        refused=draw(st.sampled_from([{}, {"graphics cards": "PermissionError: denied"}])),
    )
    plugins = (
        {"jax-metal": "0.1.1", "tensorflow-metal": "1.2.0"} if system == "Darwin" else {"tensorflow-gpu": "2.12.0"}
    )
    return Facts(
        host=host,
        backends=tuple(draw(backends(name, system == "Darwin")) for name in VERSIONS),
        packages=draw(st.sampled_from([{}, plugins, {"numpy": "2.1.0", "nvidia-cudnn-cu12": "9.3"}])),
        variables=draw(st.sampled_from([{}, {"CUDA_VISIBLE_DEVICES": ""}, {"OMP_NUM_THREADS": "16"}])),
        keras_backend=draw(st.sampled_from(["tensorflow", "jax", "torch"])),
    )


def built(facts, name):
    return next(backend for backend in facts.backends if backend.name == name)


def commands(facts):
    """Every command of every fix, with the words before it that say where it is to be run."""
    return [(finding, part.strip()) for finding in rules.diagnose(facts) for part in finding.fix.split(";")]


def harms(facts, command):
    """What a command would break here, told again without the doctor's own table."""
    host, torch, jax = facts.host, built(facts, "torch"), built(facts, "jax")
    installs = re.search(r"pip install (.*)", command)
    what = installs[1] if installs else ""
    old = [gpu.compute_capability for gpu in host.gpus if gpu.compute_capability]
    is_old = any(float(capability) < 7.5 for capability in old)
    elsewhere = "there:" in command
    if torch.rocm and re.search(r"\btorch\b", what) and "rocm" not in what:
        return "a build for ROCm is replaced"
    if torch.xpu and re.search(r"\btorch\b", what) and "xpu" not in what:
        return "a build for XPU is replaced"
    if "Jetson" in host.board and re.search(r"\b(torch|tensorflow|jax)\b", what):
        return "the board's own build is replaced"
    if "metal" in what and (jax.version > "0.5.0" or "tensorflow" in what):
        return "an old plug-in is installed"
    if is_old and ("cuda13" in what or "/cu13" in what) and max(map(float, old)) < 7.5:
        return "CUDA 13 has no code for this card"
    if host.driver_cuda < "13" and host.driver_cuda and ("cuda13" in what or "/cu13" in what) and not elsewhere:
        return "this driver runs no CUDA 13"
    if host.system != "Linux" and "and-cuda" in what and not elsewhere:
        return "these libraries are for Linux"
    if host.python.startswith(("3.14", "3.15")) and re.search(r"\btensorflow\b(?!-)", what) and not elsewhere:
        return "there is no TensorFlow for this Python"
    if (host.wsl or host.container) and command.startswith("install NVIDIA's driver") and "in Windows" not in command:
        return "a driver is installed inside"
    if host.container and "sudo usermod" in command:
        return "groups of a container"
    if host.system == "Windows" and re.match(r"(export|unset|sudo) ", command):
        return "no such command on Windows"
    return ""


@settings(max_examples=200, **QUIET)
@given(machines())
def test_no_command_does_harm(facts):
    for finding, command in commands(facts):
        assert "" == harms(facts, command), (finding.id, command)
        assert "no command is given here" not in finding.fix, (finding.id, finding.fix)


@settings(max_examples=100, **QUIET)
@given(machines())
def test_nothing_that_was_said_is_lost_and_every_problem_has_a_fix(facts):
    findings = rules.diagnose(facts)
    shown = rules.as_text(findings)

    assert encode(facts)
    assert all(finding.fix for finding in findings if finding.severity == "problem")
    assert facts.host.driver_error in shown or facts.host.gpus
    for backend in facts.backends:
        for words in (backend.error, "" if backend.error else backend.keras_error):
            assert words in shown, (backend.name, words)
        if backend.installed and not (backend.gpus or backend.error or backend.keras_error):
            assert backend.log in shown, (backend.name, backend.log)


@settings(max_examples=100, **QUIET)
@given(machines())
def test_well_and_problem_never_stand_side_by_side(facts):
    """'sees no GPU; it computes on the CPU: ok' is no finding beside the one that says why it should not."""
    findings = rules.diagnose(facts)
    for backend in facts.backends:
        own = [finding for finding in findings if finding.id.startswith(f"{backend.name}-")]
        if any(finding.severity == "problem" for finding in own):
            assert f"{backend.name}-cpu" not in {finding.id for finding in own}


@settings(max_examples=200, **QUIET)
@given(st.text(max_size=80))
def test_any_words_have_one_saying_or_none(text):
    facts = Facts(host=HostFacts(system="Linux"))
    saying = said.explain(text, facts)

    assert saying is None or re.search(saying.says, text, re.IGNORECASE)
