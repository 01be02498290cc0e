"""What backends say when a library, a package or the environment is wrong: the end of the table of sayings. Pure."""

from __future__ import annotations

from bench.doctor.facts import Saying

NUMPY = (
    r"compiled (using|against) numpy|numpy\.(core|dtype)|binary incompatib|_ARRAY_API|module 'numpy' has no attribute"
)

SAYINGS = (
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
        r"|error loading cuda libraries|libdevice|cuptiGet"
        r"|lib(cudnn|cublas|cudart|cusparse|cusolver|cufft|curand|nccl|nvjitlink|cupti|nvrtc|cufile)",
        "one of its CUDA libraries is missing or of another version",
        "{install}",
    ),
    Saying(
        "cudnn-start",
        r"DNN library initialization failed|CUDNN_STATUS_(NOT_INITIALIZED|INTERNAL_ERROR)|no dnn in stream executor",
        "cuDNN is there and did not start: another copy of it is found first, it does not suit the driver, or the "
        "device's memory is taken; these words do not tell which",
        "nvidia-smi shows who holds the memory; {unset}{install}",
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
        "not-started",
        r"probe could not be started",
        "the system starts no second Python: this user may not run its file, or may start no more processes",
        "{may_run}",
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
