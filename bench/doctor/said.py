"""What drivers and backends say when something is wrong, and what each saying means: a table, read top to bottom. Pure.

A saying explains a text only where its pattern matches, and only on machines that its condition names. Where none
does, the doctor does not know, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from bench.doctor import builds, fixes
from bench.doctor.facts import Facts, is_apple, is_jetson, is_present


def _always(_: Facts) -> bool:
    return True


DENIED, DEVICES = "(permission denied|not permitted)", "(/dev/nvidia|kfd|/dri|renderD)"
NUMPY = (
    r"compiled (using|against) numpy|numpy\.(core|dtype)|binary incompatib|_ARRAY_API|module 'numpy' has no attribute"
)


def _on_linux(facts: Facts) -> bool:
    return facts.host.system == "Linux"


class Saying(NamedTuple):
    """A pattern of what is said, what it means, and what to do.

    ``fix`` may hold gaps such as {install} and {driver}: see ``fix_of``.
    """

    id: str
    says: str  # pattern, whatever the case
    means: str
    fix: str
    when: Callable[[Facts], bool] = _always


SAYINGS = (
    # CUDA's own errors, by number and by name. Source: NVIDIA, CUDA Runtime API, error handling,
    # https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html
    Saying(
        "fabric-manager",
        r"error 802|SYSTEM_NOT_READY|system not yet initialized",
        "on machines with NVSwitch (DGX, HGX) CUDA starts only while NVIDIA's Fabric Manager runs, in the driver's "
        "own version; the build of the framework is not at fault",
        "whose machine it is: sudo systemctl restart nvidia-fabricmanager, in version {version}; "
        "on a rented one: ask the provider, or take another machine",
    ),
    Saying(
        "driver-mismatch",
        r"error 803|DRIVER_MISMATCH|library version mismatch|unsupported display driver / cuda driver",
        "the driver's library and its module in the kernel are of two versions: one was updated while the other ran, "
        "or a container brings a library of its own",
        "restart the machine; in a container: start it anew, from an image without NVIDIA's driver inside",
    ),
    Saying(
        "forward-compatibility",
        r"error 804|COMPAT_NOT_SUPPORTED|forward compatibility was attempted",
        "NVIDIA's compatibility library for newer CUDA is found first, and works on data-centre cards only",
        "take its folder (cuda-compat) out of LD_LIBRARY_PATH, or uninstall cuda-compat; else: {driver}",
    ),
    Saying(
        "driver-too-old",
        r"driver on your system is too old|driver version is insufficient|INSUFFICIENT_DRIVER|error 35\b"
        r"|unsupported toolchain|UNSUPPORTED_PTX_VERSION|error 222\b|requires a newer driver",
        "the driver is older than the CUDA that this build is made with",
        "{driver}; or keep the driver and take an older build: {install}",
    ),
    Saying(
        "unknown-cuda-error",
        r"error 999|CUDA_ERROR_UNKNOWN|CUDA unknown error",
        "the driver's module nvidia_uvm is in a bad state, as after the machine slept, or its device is missing",
        "sudo modprobe -r nvidia_uvm; sudo modprobe nvidia_uvm; where that is refused, restart the machine",
        lambda facts: facts.host.system == "Linux" and not facts.host.container and not facts.host.wsl,
    ),
    Saying(
        "unknown-cuda-error",
        r"error 999|CUDA_ERROR_UNKNOWN|CUDA unknown error",
        "the driver does not start inside, though it may outside",
        "in WSL: wsl --shutdown, then start it again; in a container: start it anew, with NVIDIA_VISIBLE_DEVICES=all",
        lambda facts: bool(facts.host.container or facts.host.wsl),
    ),
    Saying(
        "busy",
        r"busy or unavailable|DEVICE_UNAVAILABLE|error 46\b|exclusive[- ]process",
        "another process has the GPU for itself, or this job was given none of its instances",
        "nvidia-smi shows its processes and its compute mode; end the process, or ask the cluster for a GPU",
    ),
    Saying(
        "no-kernel",
        r"no kernel image|NO_BINARY_FOR_GPU|error 209\b|invalid device function|device kernel image is invalid"
        r"|is not compatible with the current pytorch|minimum (required )?cuda capability|no binary for gpu",
        "this build holds no machine code for this chip",
        "{install}",
    ),
    Saying(
        "portable-code",
        r"INVALID_PTX|INVALID_SOURCE|INVALID_HANDLE|ptxas.*(sm_|too old)|unsupported gpu architecture",
        "the card is newer than this build, whose portable code the driver does not take for it",
        "a build that knows the card: NVIDIA's container (https://catalog.ngc.nvidia.com) or a nightly release; or: "
        "export KERAS_BACKEND=torch, whose builds for CUDA 12.8 and later have code for it",
    ),
    Saying(
        "no-device",
        r"no CUDA-capable device|CUDA_ERROR_NO_DEVICE|error 100\b|error 101\b|invalid device ordinal|no nvidia devices",
        "CUDA counts no device for this process: a variable hides it, or the process may not open /dev/nvidia*",
        "look at: echo $CUDA_VISIBLE_DEVICES; ls -l /dev/nvidia*; in a container: docker run --gpus all ...",
    ),
    Saying(
        "cuda-driver-library",
        r"UNKNOWN ERROR \(303\)|error 303\b|shared object initialization|libcuda\.so|could not find cuda drivers",
        "the process finds no libcuda.so.1, which comes with the driver",
        "in a container: docker run --gpus all ... (host: NVIDIA Container Toolkit); in WSL: it lies in "
        "/usr/lib/wsl/lib; else: {driver}",
        lambda facts: is_present(facts, "NVIDIA"),
    ),
    Saying(
        "out-of-memory",
        r"out of memory|OUT_OF_MEMORY|RESOURCE_EXHAUSTED|failed to allocate",
        "the device's memory is taken, by another process or by an earlier framework in the same one",
        "nvidia-smi shows who holds it; export TF_FORCE_GPU_ALLOW_GROWTH=true XLA_PYTHON_CLIENT_PREALLOCATE=false",
    ),
    # What the driver says through NVML.
    Saying(
        "rights-lost",
        r"^unknown error$|initialize NVML: unknown error",
        "the right to the device was taken from a running container, as `systemctl daemon-reload` on the host does",
        "restart the container; for good, on the host: Docker with cgroupfs as its cgroup driver, or CDI "
        "(docker run --device nvidia.com/gpu=all ...), or each /dev/nvidia* named with --device",
        lambda facts: bool(facts.host.container),
    ),
    Saying(
        "driver-not-loaded",
        r"driver not loaded|couldn't communicate with the nvidia driver|NVIDIA-SMI has failed",
        "the driver is installed, and its module is not in the running kernel: a new kernel it was not built for, "
        "Secure Boot that refuses it, or nouveau in its place",
        "sudo modprobe nvidia tells why; dkms status shows for which kernels it is built; mokutil --sb-state whether "
        "Secure Boot is on",
        _on_linux,
    ),
    Saying(
        "driver-not-loaded",
        r"driver not loaded|couldn't communicate with the nvidia driver|NVIDIA-SMI has failed",
        "the driver is installed and does not run",
        "{driver}",
    ),
    Saying(
        "gpu-lost",
        r"gpu is lost|fallen off the bus|unable to determine the device handle|\bXid\b|uncorrectable|ECC error",
        "the card stopped answering: power, heat, its slot, or the card itself",
        "restart the machine, then look for NVRM and Xid in: sudo dmesg",
    ),
    Saying(
        "no-permission",
        rf"insufficient permissions|NO_PERMISSION|NvRmMem|nvmap|{DENIED}.*{DEVICES}|{DEVICES}.*{DENIED}",
        "this user may not open the device's files",
        "ls -l /dev/nvidia* /dev/dri/render* tells who may; {rights}",
    ),
    # AMD and Intel.
    Saying(
        "rocm-no-device",
        r"no rocm-capable device|hipErrorNoDevice|no hip gpus|HSA_STATUS_ERROR|unable to open /dev/kfd",
        "ROCm finds no device: this user may not open it, or the chip is not one that ROCm supports",
        "ls -l /dev/kfd /dev/dri/render*; {rights}",
    ),
    Saying(
        "xpu-no-device",
        r"xpu device count is zero|no xpu device|level.?zero|UR_RESULT_ERROR|PI_ERROR|ZE_RESULT",
        "Intel's compute runtime (Level Zero) finds no GPU: it is missing, does not suit the kernel's driver "
        "(i915 or xe), or this user may not open /dev/dri/renderD*",
        f"install the runtime: {fixes.INTEL_RUNTIME}; then: clinfo -l; {{rights}}",
    ),
    # Apple.
    Saying(
        "metal-plugin",
        r"default_memory_space|METAL.*experimental|libmetal_plugin|metal_plugin|Apple Metal|mps.*plugin",
        "Apple's plug-in is made for an older release of this framework",
        "pip uninstall -y {plugin} (the CPU then works); for the GPU: export KERAS_BACKEND=torch",
        lambda facts: is_apple(facts.host),
    ),
    Saying(
        "metal-macos",
        r"mps.*(not built|not available|macos 1\d)|requires macos",
        "this macOS, or this build of Python, has no Metal for PyTorch: it takes macOS 14 and a Python for arm64",
        "python3 -c 'import platform; print(platform.machine())' must say arm64; else update macOS",
        lambda facts: facts.host.system == "Darwin",
    ),
    # Libraries beside the framework.
    Saying(
        "plugin-missing",
        r"CUDA-enabled jaxlib is not installed|gpu may be present on this machine",
        "plain jax computes on the CPU; the GPU comes with a plug-in",
        "{install}",
    ),
    Saying(
        "older-library",
        r"outdated \w+ installation|Loaded runtime CuDNN library|SUBLIBRARY_VERSION_MISMATCH|(cudnn|cublas).*older",
        "an older copy of the named library is found before the one that the framework brings",
        "{unset}{install}",
    ),
    Saying(
        "libraries",
        r"cannot dlopen some gpu|could not load dynamic library|unable to load cu\w+|undefined symbol.*(cu|nv)\w+"
        r"|lib(cudnn|cublas|cudart|cusparse|cusolver|cufft|curand|nccl|nvjitlink|cupti|nvrtc|cufile)",
        "one of its CUDA libraries is missing or of another version",
        "{install}",
    ),
    Saying(
        "c-library",
        r"version [`']?GLIBC_",
        "the system is older than the one that the wheel is made for",
        "take an older release of {name}, or a newer system (a container with one will do)",
    ),
    Saying(
        "c++-library",
        r"(GLIBCXX|CXXABI)_",
        "another, older C++ library is found first, as conda's or a module's",
        "{unset}in a conda environment: conda install -c conda-forge libstdcxx-ng",
    ),
    Saying(
        "static-tls",
        r"static TLS block",
        "a library was loaded too late for the memory that it wants, which happens on ARM",
        "import {module} before every other package, or set LD_PRELOAD to the library that the message names",
    ),
    Saying(
        "numpy-too-new",
        NUMPY,
        "this build is older than the NumPy beside it, which is of the next generation",
        "{numpy}",
        lambda facts: facts.packages.get("numpy", "2") >= "2",
    ),
    Saying("numpy-too-old", NUMPY, "this build is newer than the NumPy beside it", "pip install -U numpy"),
    Saying(
        "protobuf",
        r"protobuf|descriptors cannot",
        "it was built for another release of protobuf",
        "keep {name} and take the protobuf that it asks for: pip check names it",
    ),
    Saying(
        "dll",
        r"DLL load failed|WinError (126|127|193|1114)|a DLL |vcruntime|msvcp140",
        "a Windows library that it needs is missing or too old",
        "install Microsoft's Visual C++ Redistributable (x64): https://aka.ms/vs/17/release/vc_redist.x64.exe",
    ),
    # The environment.
    Saying(
        "no-user-name",
        r"getpwuid|uid not found|no user name|cannot find name for user",
        "this user id has no name here, as in a container that runs under a number, and the framework asks for one: "
        "PyTorch does before 2.13",
        "export USER=user LOGNAME=user (docker run -e USER=user ...), or add the user to /etc/passwd; "
        "for some releases TORCHINDUCTOR_CACHE_DIR=/tmp/torch is enough; PyTorch 2.13 and newer ask no more",
    ),
    Saying(
        "no-home",
        r"determine home directory|HOME.{0,20}not set",
        "this user has no home folder, and the framework wants one for its cache",
        "export HOME=/tmp",
    ),
    Saying(
        "no-space",
        r"no space left|errno 28\b|disk quota",
        "the disk, or this user's share of it, is full",
        "df -h shows which; make room, or point TMPDIR elsewhere",
    ),
    Saying(
        "read-only",
        r"read-only file system|errno 30\b|permission denied|errno 13\b|no usable temporary directory",
        "it may not open or write the file that the message names, mostly a cache below the home folder",
        "export HOME=/tmp KERAS_HOME=/tmp/keras TMPDIR=/tmp",
    ),
    Saying(
        "shadowed",
        r"partially initialized module|most likely due to a circular import",
        "a file of your own has the framework's name and is imported in its place, or the install is half of two",
        "python -c 'import importlib.util as u; print(u.find_spec(\"{module}\").origin)' shows the file; rename yours",
    ),
    Saying("keras-missing", r"no module named '?keras\b", "Keras itself is not installed", "pip install keras"),
    Saying(
        "module-missing",
        r"no module named",
        "a package that it needs is not installed",
        "pip check names what is missing; install that alone",
    ),
    Saying(
        "illegal-instruction",
        r"signal 4\b|illegal instruction|exit code 132\b|SIGILL",
        "the wheel uses instructions that this CPU lacks",
        "see the finding on AVX; on a virtual machine: pass the host's CPU through (QEMU: -cpu host)",
    ),
    Saying(
        "killed",
        r"signal 9\b|SIGKILL|exit code 137\b",
        "the system killed it, as it does when memory runs out",
        "free memory, or raise the container's limit",
    ),
    Saying(
        "hangs",
        r"time limit",
        "its import or its first operation hangs; on a new GPU it may be compiling its kernels",
        "run it again; if it hangs again, look at nvidia-smi for who holds the GPU",
    ),
)


def explain(text: str, facts: Facts) -> Saying | None:
    """The first saying that a text is; None where it says nothing that the table knows."""
    for saying in SAYINGS:
        if re.search(saying.says, text, re.IGNORECASE) and saying.when(facts):
            return saying
    return None


def fix_of(saying: Saying, facts: Facts, backend: str = "") -> str:
    """A saying's fix, with what fits this machine in its gaps: {install} and {name} are the backend's."""
    install = fixes.install(facts, backend) if backend and "{install}" in saying.fix else ""
    return saying.fix.format(
        install=install,
        driver=fixes.driver(facts),
        name=fixes.NAMES.get(backend, "the framework"),
        module=backend,
        version=facts.host.driver or "the driver's",
        plugin=f"{backend}-metal",
        rights=fixes.rights(facts),
        numpy="take a newer release of the framework: for this Python there is no NumPy 1"
        if builds.version_of(facts.host.python) >= (3, 13)
        else "pip install 'numpy<2', or take a newer release of the framework",
        unset="" if is_jetson(facts.host) else "unset LD_LIBRARY_PATH; ",
    )
