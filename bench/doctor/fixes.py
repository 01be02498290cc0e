"""Commands that fit the machine: which build of a framework, which driver, which Python. Pure.

Each takes the facts and gives text: a command where there is one, else where it is to be had.
"""

from __future__ import annotations

import re

from bench.doctor import builds
from bench.doctor.facts import (
    NAMES,
    BackendFacts,
    Facts,
    gfx_chips,
    is_apple,
    is_jetson,
    is_present,
    is_thor,
    is_translated,
    jax_plugin,
)

TORCH_INDEX = "https://download.pytorch.org/whl"
SELECTOR = "https://pytorch.org/get-started/locally/"
JETSON = "https://docs.nvidia.com/deeplearning/frameworks/install-pytorch-jetson-platform/"
AMD_WHEELS = "https://rocm.docs.amd.com/projects/radeon-ryzen/en/latest/"
INTEL_RUNTIME = "https://dgpu-docs.intel.com/driver/client/overview.html"
ARM_PYTHON = "make a new environment with a Python for arm64 (python.org, or: arch -arm64 ...), and install there"
# Where each framework's people answer.
ASK = {
    "tensorflow": "https://github.com/tensorflow/tensorflow/issues",
    "jax": "https://github.com/jax-ml/jax/issues",
    "torch": "https://github.com/pytorch/pytorch/issues",
    "nvidia": "https://forums.developer.nvidia.com/",
}


def backend_facts(facts: Facts, name: str) -> BackendFacts:
    """What is known of a backend; nothing where it was not asked."""
    return next((backend for backend in facts.backends if backend.name == name), BackendFacts(name=name))


def capabilities(facts: Facts) -> tuple[str, ...]:
    """Compute capabilities of this machine's NVIDIA cards, each once, as far as they are told."""
    return tuple(dict.fromkeys(gpu.compute_capability for gpu in facts.host.gpus if gpu.compute_capability))


def build(facts: Facts, name: str, *, any_python: bool = False, any_driver: bool = False) -> builds.Build | None:
    """The build of a backend for this machine's cards: for all of them where there is one, else for the newest."""
    chips, host, release = capabilities(facts), facts.host, backend_facts(facts, name).version
    python = "" if any_python or any_driver else host.python
    cuda = "" if any_driver else host.driver_cuda
    processor = host.architecture
    found = builds.fitting(name, chips, cuda, python, release, processor)
    if found and name == "jax" and jax_plugin(facts):  # which stays of its generation where that fits
        own = builds.version_of(jax_plugin(facts).removeprefix("jax-"))
        fits = not cuda or own <= builds.version_of(cuda)[:1]
        kept = [one for one in builds.builds(name) if one.release == found.release and one.cuda == own and fits]
        found = next((one for one in kept if all(builds.runs_on(one.architectures, chip) for chip in chips)), found)
    newest = chips and (max(chips, key=builds.version_of),)
    return found or builds.fitting(name, newest, cuda, python, release, processor)


def install(facts: Facts, name: str) -> str:
    """The command that brings a backend which can use what this machine has."""
    host = facts.host
    if is_thor(host) and name == "torch":
        return f"{_torch(facts, 'torch', 'cu130')}; or NVIDIA's own build: {JETSON}"
    if is_jetson(host):
        return f"take NVIDIA's own build for this board's JetPack: {JETSON}"
    if is_translated(host):
        return ARM_PYTHON
    if host.system == "Darwin" and not is_apple(host):
        return builds.ended(name, "Intel Macs").instead
    if other := unavailable(facts, name):
        return other
    torch = backend_facts(facts, "torch")
    # A build for another maker's card is kept, where there is such a card.
    has_other = name == "torch" and (torch.rocm or torch.xpu) and not is_misplaced(facts)
    if has_other or host.system == "Darwin" or not is_present(facts, "NVIDIA"):
        return _without_nvidia(facts, name)
    if host.system == "Windows" and name != "torch":
        return f"use WSL2 and there: {_cuda(facts, name)}; or stay on Windows with: export KERAS_BACKEND=torch"
    return _cuda(facts, name)


def _cuda(facts: Facts, name: str) -> str:
    """The command for a build with CUDA, or what stands in its way: the Python, the driver, the card."""
    host = facts.host
    if name == "tensorflow" and host.system == "Linux" and host.architecture == "aarch64":
        return builds.ended(name, "GPU on Linux on ARM").instead
    if name == "torch" and host.nvml == "no binding" and not host.gpus:
        return f"choose your system, and the CUDA that nvidia-smi names, at {SELECTOR} and run the line it gives"
    if found := build(facts, name):
        return _pip(facts, name, found)
    if found := build(facts, name, any_python=True):
        wanted = builds.pythons(name, found.release)
        return f"it takes Python {wanted[1] if wanted else ''} or older, and there: {_pip(facts, name, found)}"
    if (found := build(facts, name, any_driver=True)) and host.driver_cuda:
        return driver(facts, builds.oldest_driver(".".join(map(str, found.cuda))))
    missing = f"no published build of {NAMES[name]} has code for this card"
    if backend_facts(facts, name).installed:
        return f"{missing}: it computes on the CPU, or is built from source"
    package = {"torch": f"torch --index-url {TORCH_INDEX}/cpu"}.get(name, name)
    return f"pip install {package} (for the CPU: {missing})"


def _pip(facts: Facts, name: str, found: builds.Build) -> str:
    """The command that installs a build for CUDA."""
    pin = "" if found.release == builds.builds(name)[0].release else f"=={found.release}.*"
    if name == "jax":
        wanted = f"cuda{found.cuda[0]}"
        plugins = (one for one in facts.packages if re.fullmatch(r"jax-cuda\d+-(plugin|pjrt)", one))
        others = [one for one in plugins if wanted not in one]
        removed = f"pip uninstall -y {' '.join(others)}; " if others else ""
        return f"{removed}pip install -U 'jax[{wanted}]'"
    if name == "tensorflow":
        return f"pip install 'tensorflow[and-cuda]{pin}'"
    return _torch(facts, f"'torch{pin}'", found.tag)


def _torch(facts: Facts, package: str, tag: str) -> str:
    """The command that puts one of PyTorch's builds in place of the one that is there."""
    removed = "pip uninstall -y torch; " if backend_facts(facts, "torch").installed else ""
    return f"{removed}pip install {package} --index-url {TORCH_INDEX}/{tag}"


def _without_nvidia(facts: Facts, name: str) -> str:
    host = facts.host
    if name == "tensorflow":
        return "pip install tensorflow"
    if name == "jax":
        chips = set(builds.table().architectures["rocm 7"]) & set(gfx_chips(facts))
        on_linux = host.system == "Linux" and host.has_kfd
        return (
            "pip install -U 'jax[rocm7-local]', with ROCm 7 on the system" if on_linux and chips else "pip install jax"
        )
    torch = backend_facts(facts, "torch")
    on_mac = host.system == "Darwin"
    if torch.rocm or (is_present(facts, "AMD") and not torch.xpu and not on_mac):
        return rocm(facts)
    if torch.xpu or (is_present(facts, "Intel") and not on_mac):
        return _torch(facts, "torch", "xpu")
    if on_mac:
        return "pip install torch"
    if host.system == "Windows" or host.wsl:  # where a card may be that is not seen
        return f"choose your system and GPU at {SELECTOR} and run the line it gives"
    return f"pip install torch --index-url {TORCH_INDEX}/cpu"


def rocm(facts: Facts) -> str:
    """The command for a PyTorch that has code for this machine's AMD chips."""
    if facts.host.system != "Linux":
        return f"AMD's own wheels for Windows, for the chips that its list names: {AMD_WHEELS}"
    chips = gfx_chips(facts)
    for enough in (all, any):  # beside a card, a chip in the processor is often on no list
        for found in builds.builds("torch"):
            if not found.cuda and enough(chip in found.architectures for chip in chips):
                return _torch(facts, f"'torch=={found.release}.*'", found.tag)
    return f"AMD's own wheels, where its list names the chip: {AMD_WHEELS}"


def is_misplaced(facts: Facts) -> bool:
    """Whether PyTorch's build is for AMD's GPUs or Intel's, and the machine's card is NVIDIA's.

    Beside that one, Intel's GPU is mostly the one in the processor.
    """
    torch = backend_facts(facts, "torch")
    is_other = bool(torch.xpu) or (bool(torch.rocm) and not is_present(facts, "AMD"))
    return is_other and bool(facts.host.gpus) and not torch.gpus


def unavailable(facts: Facts, name: str) -> str:
    """What to do where a backend has no wheel for this system, processor or Python; empty where it has one."""
    host = facts.host
    if builds.has_platform(name, host.system, host.architecture):
        return python(facts, name)
    other = (
        "install a Python of 64 bits, and there again"
        if "32-bit" in host.architecture
        else "take a system with glibc: for a container an image such as python:3.13-slim instead of alpine"
        if "musl" in host.architecture
        else "a Python for x64, which Windows on ARM runs as well"
        if host.system == "Windows"
        else "conda-forge or your distribution may have one; else it is built from source"
    )
    return f"{NAMES[name]} has no wheel for {host.system} on {host.architecture}: {other}"


def python(facts: Facts, name: str) -> str:
    """The command that makes an environment with a Python that a backend has wheels for; empty where it has."""
    if builds.has_wheel(name, facts.host.python) is not False:
        return ""
    span = builds.pythons(name)
    assert span is not None  # has_wheel told
    have = builds.version_of(facts.host.python)
    wanted = span[1] if have > builds.version_of(span[1]) else span[0]
    command = f"py -{wanted} -m venv .venv" if facts.host.system == "Windows" else f"python{wanted} -m venv .venv"
    return f"{command}, and install there"


def driver(facts: Facts, oldest: str = "") -> str:
    """Where NVIDIA's driver is to be had for this machine, and which.

    Args:
        oldest: version that it must have at least on Linux, where one is known.
    """
    host = facts.host
    # Windows' drivers have other numbers; WSL's driver is Windows' own.
    to = f" of version {oldest} or newer" if oldest and host.system == "Linux" and not host.wsl else ""
    rows = [builds.generation(capability) for capability in capabilities(facts)]
    last = min((row.last_driver for row in rows if row and row.last_driver), default="")
    limit = f"; branch {last} is the last that knows this card" if last else ""
    if is_jetson(host):
        return "the driver is part of JetPack: update that, https://docs.nvidia.com/jetson/jetpack/"
    if host.wsl:
        return f"update NVIDIA's driver in Windows{to}, and none inside WSL; then: wsl --shutdown{limit}"
    if host.container:
        return f"whoever runs the host: update NVIDIA's driver there{to}{limit}"
    if host.system == "Windows":
        return f"take NVIDIA's driver{to} from https://www.nvidia.com/drivers{limit}"
    return f"install NVIDIA's driver{to} from your distribution, restart, then check with: nvidia-smi{limit}"


def last_branches() -> str:
    """Which branch of NVIDIA's driver is the last that knows each generation of cards that it gave up."""
    last: dict[str, list[str]] = {}
    for row in builds.table().generation:
        if row.last_driver:
            last.setdefault(row.last_driver, []).append(row.name)
    return "; ".join(f"branch {branch} is the last for {', '.join(names)}" for branch, names in last.items())


# How a container of each kind is given an NVIDIA card, an AMD one and an Intel one; docker's way where none is listed.
START = {
    "docker": (
        "docker run --gpus all ... (the host needs the NVIDIA Container Toolkit)",
        "docker run --device=/dev/kfd --device=/dev/dri --group-add video "
        "--group-add $(getent group render | cut -d: -f3) ...",
        "docker run --device=/dev/dri --group-add $(getent group render | cut -d: -f3) ...",
    ),
    "podman": (
        "podman run --device nvidia.com/gpu=all ... (the host needs the NVIDIA Container Toolkit, with: nvidia-ctk cdi "
        "generate)",
        "podman run --device=/dev/kfd --device=/dev/dri --group-add keep-groups ...",
        "podman run --device=/dev/dri --group-add keep-groups ...",
    ),
    "kubernetes": (
        "give the pod nvidia.com/gpu: 1 under resources, limits (the cluster needs NVIDIA's device plugin)",
        "give the pod amd.com/gpu: 1 under resources, limits (the cluster needs AMD's device plugin)",
        "give the pod one of Intel's GPUs under resources, limits (the cluster needs Intel's device plugin)",
    ),
    "apptainer": ("apptainer exec --nv ...", "apptainer exec --rocm ...", "apptainer exec --bind /dev/dri ..."),
}


# Variables of a cluster's scheduler, and how its jobs are given a GPU.
JOBS = {
    "SLURM_JOB_ID": "ask the cluster for a GPU: srun --gres=gpu:1 ..., or in the job's file: #SBATCH --gres=gpu:1",
    "PBS_JOBID": "ask the cluster for a GPU: qsub -l select=1:ngpus=1 ...",
    "LSB_JOBID": "ask the cluster for a GPU: bsub -gpu num=1 ...",
}


def job(facts: Facts) -> str:
    """How this job of a cluster is given a GPU; empty outside of one."""
    return next((ask for name, ask in JOBS.items() if name in facts.variables), "")


def start(facts: Facts) -> str:
    """How this kind of container is started so that it has the machine's GPU."""
    ways = START.get(facts.host.container, START["docker"])
    if is_present(facts, "NVIDIA"):
        return ways[0]
    return ways[2] if is_present(facts, "Intel") and not is_present(facts, "AMD") else ways[1]


def rights(facts: Facts) -> str:
    """How this user comes by the right to open the devices of a GPU."""
    if facts.host.system != "Linux":
        return "the Device Manager tells whether its driver runs; else install the maker's newest"
    if facts.host.container:
        return f"hand the devices in when the container starts: {start(facts)}"
    remote = " (a remote shell has not the rights of who sits at the screen)" if facts.host.remote else ""
    who = "; ls -l /dev/kfd /dev/dri /dev/nvidia* tells who may"
    return f"sudo usermod -aG render,video $USER, then log in again{remote}{who}"


def spoken(fix: str, system: str) -> str:
    """A fix in the words of a system's shell: on Windows PowerShell's, which knows no export and unset."""
    if system != "Windows":
        return fix

    def assigned(match: re.Match[str]) -> str:
        return "; ".join(f"$env:{name}='{value}'" for name, value in re.findall(r"(\w+)=([^\s;,]+)", match[0]))

    fix = re.sub(r"export( \w+=[^\s;,]+)+", assigned, fix)
    fix = re.sub(r"(?<!=)'((?:torch|tensorflow|jax|numpy)[^']*)'", r'"\1"', fix)  # which cmd takes as well
    return re.sub(r"unset (\w+)", r"Remove-Item Env:\1", fix)
