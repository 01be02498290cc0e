"""What drivers and backends say when something is wrong, and what each saying means: a table, read top to bottom. Pure.

Rows are in order: the first that matches is the one. ``bench.doctor.said`` reads the table.
"""

from __future__ import annotations

from bench.doctor import fixes
from bench.doctor.facts import Facts, Saying, is_apple, is_present, is_translated

NO_DEVICE = r"no CUDA-capable device|CUDA_ERROR_NO_DEVICE|error 10[01]\b|invalid device ordinal|no nvidia devices"
DENIED, DEVICES = "(permission denied|not permitted)", "(/dev/nvidia|kfd|/dri|renderD)"
NUMPY = (
    r"compiled (using|against) numpy|numpy\.(core|dtype)|binary incompatib|_ARRAY_API|module 'numpy' has no attribute"
)


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
        "no-kernel",
        r"no kernel image|NO_BINARY_FOR_GPU|error 209\b|invalid device function|device kernel image is invalid"
        r"|not compatible with the current pytorch|minimum (required |and maximum )?cuda capability|no binary for gpu",
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
        "driver-not-loaded",
        r"driver not loaded|couldn't communicate with the nvidia driver|NVIDIA-SMI has failed|GPU access blocked",
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
        r"|level.?zero.*(not found|no device|cannot open|not load)",
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
        r"cannot dlopen some gpu|could not load dynamic library|unable to load cu\w+|undefined symbol:? _*(cu|nv)\w+"
        r"|libdevice|cuptiGet|lib(cudnn|cublas|cudart|cusparse|cusolver|cufft|curand|nccl|nvjitlink|cupti|nvrtc|cufile)",
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
        "symbol",
        r"undefined symbol|procedure entry point|symbol not found in flat namespace",
        "two of its libraries are of different releases: another copy is found before its own",
        "{unset}pip check; do not mix conda's and pip's packages: a new environment with one of them will do",
    ),
    Saying(
        "executable-stack",
        r"executable stack",
        "this release asks for memory that newer systems do not give to a library",
        "take a newer release of {name}",
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
        "versions",
        r"jaxlib version \S+ is (newer|older)|incompatible with jax version|requires? jaxlib|with the installed jaxlib",
        "jax and jaxlib are of two releases",
        "pip install -U jax jaxlib, and in the same line its plug-in where there is one",
    ),
    Saying(
        "openmp-twice",
        r"OMP: Error #15|libi?omp\S* already initialized",
        "two copies of the OpenMP library are in one process, as when conda's and pip's packages are mixed",
        "make a new environment with pip's packages alone; KMP_DUPLICATE_LIB_OK only silences it: results may be wrong",
    ),
    Saying(
        "blocked",
        r"WinError (4551|1260|225)\b",
        "Windows' application control, or its virus scanner, refuses the file that the message names",
        "allow it in Windows Security, or ask whose machine it is",
    ),
    Saying(
        "long-path",
        r"filename or extension is too long|WinError 206\b|file name too long",
        "the folder's name is so long that files in it are beyond what the system takes",
        "make the environment in a folder with a short name, such as C:/venv, or switch on long paths in Windows",
    ),
    Saying(
        "dll",
        r"DLL load failed|WinError (126|127|193|1114)|a DLL |vcruntime|msvcp140",
        "a Windows library that it needs is missing or too old",
        "install Microsoft's Visual C++ Redistributable (x64): https://aka.ms/vs/17/release/vc_redist.x64.exe",
    ),
    # The environment.
    Saying(
        "code-page",
        r"UnicodeEncodeError|codec can't encode|UnicodeDecodeError: '(charmap|cp\d+|gbk)'",
        "the system's code page lacks a sign that the program writes or reads",
        "export PYTHONUTF8=1",
    ),
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
        "no-code-there",
        r"failed to map segment|restore segment prot",
        "the system runs no code from that folder: it is mounted with noexec, or SELinux forbids it",
        "make the environment in another folder; findmnt -T . shows how one is mounted",
    ),
    Saying(
        "read-only",
        r"read-only file system|errno 30\b|permission denied|errno 13\b|no usable temporary directory",
        "it may not open or write the file that the message names, mostly a cache below the home folder",
        "{home}",
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
        "protobuf",
        r"protobuf|descriptors cannot",
        "it was built for another release of protobuf",
        "keep {name} and take the protobuf that it asks for: pip check names it",
    ),
    Saying(
        "system-library",
        r"cannot open shared object file|image not found|library not loaded",
        "a library of the system, which no wheel brings, is not installed",
        "install your system's package that holds the named file: libgomp.so.1 is in libgomp1 on Debian and Ubuntu",
    ),
    Saying(
        "illegal-instruction",
        r"signal 4\b|illegal instruction|exit code 132\b|SIGILL|AVX instructions",
        "the wheel uses instructions that this CPU lacks",
        "see the finding on AVX; on a virtual machine: pass the host's CPU through (QEMU: -cpu host)",
        lambda facts: facts.host.architecture.lower() in ("x86_64", "amd64"),
    ),
    Saying(
        "illegal-instruction",
        r"signal 4\b|illegal instruction|exit code 132\b|SIGILL",
        "the wheel uses instructions that this CPU lacks",
        "take an older release of {name}, or your distribution's own package, which is built for this processor",
    ),
    # JAX does not fall back to the CPU once a platform is asked for by name.
    Saying(
        "platform",
        r"unable to initialize backend|unknown backend",
        "JAX_PLATFORMS asks for a platform that does not start here, and JAX takes no other then",
        "unset JAX_PLATFORMS (JAX then takes what works)",
        lambda facts: bool(facts.variables.get("JAX_PLATFORMS")),
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
