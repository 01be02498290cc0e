"""What drivers and backends say when something is wrong, and what each saying means: a table, read top to bottom. Pure.

Rows are in order: the first that matches is the one. ``bench.doctor.said`` reads the table.
"""

from __future__ import annotations

from bench.doctor import fixes, software_sayings
from bench.doctor.facts import Facts, Saying, is_apple, is_present, is_translated

NO_DEVICE = r"no CUDA-capable device|CUDA_ERROR_NO_DEVICE|error 10[01]\b|invalid device ordinal|no nvidia devices"
DENIED, DEVICES = "(permission denied|not permitted)", "(/dev/nvidia|kfd|/dri|renderD)"


def _has_nvidia(facts: Facts) -> bool:
    return is_present(facts, "NVIDIA")


def _on_linux(facts: Facts) -> bool:
    return facts.host.system == "Linux" and not facts.host.container and not facts.host.wsl


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
        r"error 803|DRIVER_MISMATCH|library version mismatch|unsupported display driver / cuda driver"
        r"|does not match DSO version",
        "the driver's library and its module in the kernel are of two versions: one was updated while the other ran, "
        "or a container brings a library of its own",
        "restart the machine; in a container: start it anew, from an image without NVIDIA's driver inside",
    ),
    Saying(
        "forward-compatibility",
        r"error 804|COMPAT_NOT_SUPPORTED|forward compatibility was attempted",
        "NVIDIA's compatibility library for newer CUDA is found first, and works on data-centre cards only",
        "take its folder (cuda-compat) out of LD_LIBRARY_PATH, or uninstall cuda-compat; after an update of the "
        "driver: restart the machine; else: {driver}",
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
        _on_linux,
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
        "cuda-start",
        r"CUDA driver initialization failed|initialization error|CUDA_ERROR_NOT_INITIALIZED",
        "CUDA's driver is there and did not start; these words name no reason, and it has several",
        "nvidia-smi, then {kernel_log}; restart the machine, or the container; where only this program says it: "
        "another process that it was forked from has started CUDA already",
    ),
    Saying(
        "no-kernel",
        r"no kernel image|NO_BINARY_FOR_GPU|error 209\b|invalid device function|device kernel image is invalid"
        r"|not compatible with the current pytorch|minimum (required |and maximum )?cuda capability|no binary for gpu"
        r"|compute capability \d+\.\d+ (<|is (too|not))|no supported devices.*compute capability",
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
        NO_DEVICE,
        "a card is cut into instances (MIG), and this process was given none, or none is made",
        "nvidia-smi -L lists the instances; name one in CUDA_VISIBLE_DEVICES by its UUID; where none is listed, ask "
        "whose machine it is",
        lambda facts: any(gpu.mig for gpu in facts.host.gpus),
    ),
    Saying(
        "no-device",
        NO_DEVICE,
        "CUDA counts no device for this process: a variable hides it, or the process may not open the device",
        "look at the variable CUDA_VISIBLE_DEVICES; then: {look}",
    ),
    Saying(
        "cuda-driver-library",
        r"UNKNOWN ERROR \(303\)|error 303\b|shared object initialization|libcuda\.so|could not find cuda drivers",
        "the process finds no libcuda.so.1, which comes with the driver",
        "{library}",
        _has_nvidia,
    ),
    Saying(
        "out-of-memory",
        r"(HIP|XPU|MPS backend) out of memory|hipErrorOutOfMemory|OUT_OF_DEVICE_MEMORY",
        "the device's memory is taken, by another process or by this model",
        "end other programs that use the GPU, or take a smaller batch",
    ),
    Saying(
        "host-memory",
        r"DefaultCPUAllocator|(can't|cannot) allocate memory(?! in static)|bad_alloc|\bMemoryError|WinError (1455|8)\b"
        r"|paging file",
        "the system's memory is used up, not the GPU's",
        "close other programs, or raise the container's limit; on Windows let the system manage the paging file's size",
    ),
    Saying(
        "out-of-memory",
        r"out of memory|OUT_OF_MEMORY|RESOURCE_EXHAUSTED|failed to allocate",
        "the device's memory is taken, by another process or by an earlier framework in the same one",
        "nvidia-smi shows who holds it; export TF_FORCE_GPU_ALLOW_GROWTH=true XLA_PYTHON_CLIENT_PREALLOCATE=false",
        _has_nvidia,
    ),
    Saying(
        "out-of-memory",
        r"out of memory|OUT_OF_MEMORY|RESOURCE_EXHAUSTED|failed to allocate",
        "the device's memory is taken, by another process or by this model",
        "close other programs, or take a smaller batch",
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
        "Secure Boot that refuses it, or nouveau in its place; or the card is older than this driver knows",
        "sudo modprobe nvidia, then sudo dmesg | grep NVRM, tell why; dkms status shows for which kernels it is built; "
        "mokutil --sb-state whether Secure Boot is on; for old cards: {branches}",
        _on_linux,
    ),
    Saying(
        "not-handed-in",
        r"driver not loaded|couldn't communicate with the nvidia driver|NVIDIA-SMI has failed",
        "the driver runs on the host, whose kernel has its module, and its devices are not handed in here",
        "{look}",
        lambda facts: bool(facts.host.container and facts.host.kernel_module),
    ),
    Saying(
        "blocked-in-wsl",
        r"GPU access blocked",
        "Windows hands the card to WSL only with a driver in its graphics mode (WDDM, not TCC) and a WSL that is new "
        "enough",
        "in Windows: wsl --update; wsl --shutdown; nvidia-smi there tells the mode; {driver}",
    ),
    Saying(
        "driver-not-loaded",
        r"driver not loaded|couldn't communicate with the nvidia driver|NVIDIA-SMI has failed",
        "the driver is installed and does not run, or does not reach in here",
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
        "{rights}",
    ),
    # AMD and Intel.
    Saying(
        "rocm-no-device",
        r"no rocm-capable device|hipErrorNoDevice|no hip gpus|HSA_STATUS_ERROR",
        "in WSL ROCm works through Windows' driver, for few cards and with AMD's own builds",
        f"install AMD's driver in Windows and ROCm for WSL, where its list names the card: {fixes.AMD_WHEELS}",
        lambda facts: facts.host.wsl,
    ),
    Saying(
        "rocm-no-device",
        r"no rocm-capable device|hipErrorNoDevice|no hip gpus|HSA_STATUS_ERROR|unable to open /dev/kfd",
        "ROCm finds no device: this user may not open it, or the chip is not one that ROCm supports",
        "{rights}",
    ),
    Saying(
        "xpu-no-device",
        r"xpu device count is zero|no xpu device|zeInit|(PI|UR|ZE)_\w*(DEVICE_NOT_FOUND|UNINITIALIZED|NO_ADAPTER)"
        r"|level.?zero.*(not found|no device|cannot open|not load)|libze_(loader|intel)",
        "Intel's compute runtime (Level Zero) finds no GPU: it is missing, does not suit the kernel's driver "
        "(i915 or xe), or this user may not open /dev/dri/renderD*",
        f"install the runtime: {fixes.INTEL_RUNTIME}; then: clinfo -l; {{rights}}",
        lambda facts: facts.host.system == "Linux",
    ),
    Saying(
        "xpu-no-device",
        r"xpu device count is zero|no xpu device|zeInit|(PI|UR|ZE)_\w*(DEVICE_NOT_FOUND|UNINITIALIZED|NO_ADAPTER)",
        "Intel's driver shows PyTorch no GPU: it is missing or too old, or the chip is not one that the build supports",
        "{rights}",
    ),
    Saying(
        "device-lost",
        r"(PI|UR|ZE)_\w*DEVICE_LOST",
        "Intel's driver gave the card up in the middle of its work: a hang, or work that took longer than it allows",
        "restart; where it comes again: a newer kernel and compute runtime",
    ),
    # Apple.
    Saying(
        "translated",
        r"signal 4\b|SIGILL|illegal instruction|AVX instructions",
        "this Python is for Intel's processors and runs under Rosetta, which lacks their newer instructions",
        fixes.ARM_PYTHON,
        lambda facts: is_translated(facts.host),
    ),
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
    *software_sayings.SAYINGS,
)
