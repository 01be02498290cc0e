"""More symptoms of each kind, in the words that users see: what the doctor says, and what it must not say."""

import sys

import pytest

from bench.doctor import collect, fixes, rules, said, sayings, words
from bench.doctor import host as doctor_host
from bench.doctor.facts import BackendFacts, Facts, GpuFacts, HostFacts
from bench.machine import cpu
from bench.machine.nvml import Nvml
from tests.test_doctor_reports import LINUX, MAC, backend, card, found, gpu

WINDOWS = {"system": "Windows", "architecture": "AMD64", "cpu_flags": ("avx", "avx2"), "python": "3.12.3"}
BUS = {"pci_gpus": ("0x10de",), "python": "3.12.3"}
ARC_AND_RYZEN = {"pci_gpus": ("0x8086", "0x1002"), "pci_drivers": ("xe", "amdgpu"), "has_kfd": True}
NONE = tuple(BackendFacts(name=name) for name in ("tensorflow", "jax", "torch"))
CUDA = {"cuda": "12.8"}


class Refuses:
    """A driver of two cards that refuses some calls."""

    def __init__(self, *lost, count=2, error=""):
        self.lost, self.count, self.error = lost, count, error

    def nvmlSystemGetDriverVersion(self):
        return "570.1"

    def nvmlDeviceGetCount(self):
        if self.error:
            raise RuntimeError(self.error)
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index):
        if index in self.lost:
            raise RuntimeError("GPU is lost")
        return index

    def nvmlDeviceGetName(self, handle):
        return "NVIDIA A100"


def asked(module):
    nvml = Nvml(module)
    told = doctor_host.nvml_facts(nvml)
    return LINUX | BUS | told | {"refused": {f"NVML {name}": why for name, why in nvml.refused.items()}}


@pytest.mark.parametrize(
    ("module", "id_", "word"),
    [
        (Refuses(1), "gpu-refused", "GPU is lost"),
        (Refuses(0, count=1), "nvidia-gpu-lost", "GPU is lost"),
        (Refuses(error="Unknown Error"), "nvidia-driver-silent", "Unknown Error"),
    ],
)
def test_a_card_that_the_driver_lists_and_does_not_open(module, id_, word):
    results = found(asked(module), backend("torch", **CUDA, gpus=("NVIDIA A100",) if id_ == "gpu-refused" else ()))

    assert word in results[id_].seen and "problem" == results[id_].severity
    assert "nvidia-no-card" not in results


@pytest.mark.parametrize(
    ("host", "word"),
    [
        ({"driver": "570.1", "nvml": "answers"}, "nvidia-smi"),
        ({"driver_error": "Driver/library version mismatch", "nvml": "silent"}, "restart"),
        ({"container": "docker", "nvml": "no library"}, "NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
        ({"nvml": "no binding"}, "nvidia-ml-py"),
    ],
)
def test_no_framework_can_use_the_card_is_not_said_beside_one_that_does(host, word):
    results = found(LINUX | BUS | host, backend("torch", **CUDA, gpus=("NVIDIA A100",)))

    assert word in results["nvidia-binding"].fix
    assert host.get("driver_error", "") in results["nvidia-binding"].seen
    assert "problem" not in {finding.severity for finding in results.values()}


@pytest.mark.parametrize(
    ("host", "id_", "word", "not_"),
    [
        ({"container": "apptainer", "nvml": "no library"}, "nvidia-outside", "apptainer exec --nv", "docker"),
        ({"container": "kubernetes", "nvml": "no library"}, "nvidia-outside", "nvidia.com/gpu: 1", "docker"),
        ({"container": "podman", "nvml": "no library"}, "nvidia-outside", "--device nvidia.com/gpu=all", "docker"),
        ({"driver": "580.1", "nvml": "answers"}, "nvidia-no-card", "before Turing the one without them", "docker"),
        ({"driver": "591.1", "system": "Windows"}, "nvidia-no-card", "branch 580 is the last for", "dmesg"),
        ({"driver_error": "Driver Not Loaded"}, "nvidia-driver-not-loaded", "branch 580 is the last for", "docker"),
        ({"driver_error": "Driver Not Loaded", "wsl": True}, "nvidia-driver-not-loaded", "in Windows", "modprobe"),
        ({"driver_error": "GPU access blocked by the operating system", "wsl": True}, "nvidia-blocked-in-wsl",
         "in Windows", "modprobe"),
        ({"pci_gpus": ("0x8086", "0x10de"), "pci_drivers": ("vfio-pci", "")}, "nvidia-driver", "install", "virtual"),
    ],
)  # fmt: skip
def test_no_card_from_inside_or_behind_another_driver(host, id_, word, not_):
    finding = found(LINUX | BUS | host, backend("torch", **CUDA))[id_]

    assert word in finding.fix
    assert not_ not in finding.fix


@pytest.mark.parametrize("fields", [{"cuda": "12.8"}, {"rocm": "6.4", "log": "No HIP GPUs are available"}])
def test_wsl_shows_microsofts_adapter_and_not_the_card_behind_it(fields):
    results = found(LINUX | {"wsl": True, "pci_gpus": ("0x1414",), "nvml": "no library"}, backend("torch", **fields))

    assert "no-gpu" not in results
    assert "not the same as not there" in results["gpu-not-told"].means
    assert "/dev/kfd" not in "".join(finding.fix for finding in results.values())
    shown = {**results, "": results["gpu-not-told"]}
    assert fields.get("log", "") in shown["torch-rocm-no-device" if "rocm" in fields else ""].seen


@pytest.mark.parametrize(
    ("variables", "id_", "host", "torch"),
    [
        ({"CUDA_VISIBLE_DEVICES": "3,0"}, "cuda-visible-devices", card(gpu(), gpu()), CUDA),
        ({"CUDA_VISIBLE_DEVICES": "all"}, "cuda-visible-devices", card(), CUDA),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932f937-d72c-4106"}, "cuda-visible-devices", card(), CUDA),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, "cuda-visible-devices",
         LINUX | {"pci_gpus": ("0x1002",), "has_kfd": True}, {"rocm": "6.4", "log": "No HIP GPUs are available"}),
        ({"ONEAPI_DEVICE_SELECTOR": "opencl:cpu"}, "oneapi-device-selector",
         LINUX | {"pci_gpus": ("0x8086",)}, {"xpu": "2025"}),
    ],
)  # fmt: skip
def test_a_variable_that_hides_the_card_is_the_only_problem(variables, id_, host, torch):
    results = found(host, backend("torch", **torch), variables=variables)

    assert [id_] == [name for name, finding in results.items() if finding.severity == "problem"]
    assert "d72c" not in results[id_].seen


def test_a_variable_of_amds_is_no_problem_of_nvidias():
    host = card(pci_gpus=("0x10de", "0x1002"))
    results = found(host, backend("torch", gpus=(gpu().name,)), variables={"HIP_VISIBLE_DEVICES": "-1"})

    assert ("note", "hides AMD's GPUs") == (
        results["hip-visible-devices"].severity,
        results["hip-visible-devices"].means,
    )


@pytest.mark.parametrize(
    ("host", "torch", "id_", "word"),
    [
        (card(python="3.12.3"), {"rocm": "6.4", "log": "No HIP GPUs"}, "torch-other-build", "whl/cu130"),
        (card(python="3.12.3"), {"xpu": "2025", "log": "XPU device count is zero!"}, "torch-other-build", "whl/cu130"),
        (LINUX | ARC_AND_RYZEN, {"xpu": "2025", "log": "XPU device count is zero!"}, "intel-gpu", "dgpu-docs.intel"),
        (WINDOWS | {"pci_gpus": ("0x8086",)}, {"xpu": "2025", "log": "XPU device count is zero!"}, "intel-gpu",
         "Device Manager"),
        (WINDOWS | {"pci_gpus": ("0x10de",), "nvml": "no binding"}, {"version": "2.9.1+cpu"}, "torch-cpu-wheel",
         "pytorch.org"),
        (LINUX | {"pci_gpus": ("0x1002",), "has_kfd": True, "gfx": ("gfx1100", "gfx1036")}, {"version": "2.9.1+cpu"},
         "torch-rocm", "whl/rocm"),
    ],
)  # fmt: skip
def test_a_build_for_another_makers_cards(host, torch, id_, word):
    finding = found(host, backend("torch", **torch))[id_]

    assert "problem" == finding.severity
    assert word in finding.fix and torch.get("log", "") in finding.seen


def test_an_arc_that_works_beside_a_ryzen_is_left_alone():
    torch = backend("torch", "2.9.0+xpu", xpu="2025", gpus=("Intel(R) Arc(TM) B580 Graphics",))
    results = found(LINUX | ARC_AND_RYZEN, torch, backend("jax"))

    assert "problem" not in {finding.severity for finding in results.values()}


def test_an_old_card_beside_one_that_works_is_a_note():
    names = ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce GTX 1080")
    torch = backend("torch", cuda="13.0", gpus=names, architectures=("sm_75", "sm_80", "sm_90"))
    finding = found(card(gpu(names[1], "6.1"), gpu(names[0])), torch)["torch-architecture"]

    assert "note" == finding.severity
    assert "another card works" in finding.fix


@pytest.mark.parametrize(
    ("host", "word"),
    [
        (WINDOWS | {"architecture": "ARM64"}, "pytorch.org"),
        (LINUX | {"architecture": "armv7l"}, "no wheel for Linux on armv7l"),
        (LINUX | {"system": "FreeBSD", "architecture": "amd64"}, "no wheel for FreeBSD"),
        (card(gpu("NVIDIA GB10", "12.1"), architecture="aarch64"), "jax[cuda13]"),
        (MAC | {"architecture": "x86_64", "cpu_model": "Apple M2"}, "arm64"),
    ],
)
def test_pip_finds_no_matching_distribution_for_this_processor(host, word):
    results = found(host, *NONE, keras_backend="tensorflow")
    finding = results.get("rosetta") or results["no-backend"]

    assert word in finding.fix
    assert "pip install tensorflow" not in finding.fix


def test_tensorflow_on_a_gh200_or_gb10_has_no_cuda():
    host = card(gpu("NVIDIA GH200 480GB", "9.0"), architecture="aarch64")

    assert "export KERAS_BACKEND=torch" in found(host, backend("tensorflow"))["tensorflow-cpu-wheel"].fix
    assert "and-cuda" not in found(host, backend("tensorflow"))["tensorflow-cpu-wheel"].fix


def test_python_3_10_is_too_old_and_only_that_is_said():
    results = found(LINUX | {"python": "3.10.12"}, *NONE, keras_backend="jax")

    assert ["jax-python"] == [name for name, finding in results.items() if finding.severity == "problem"]


@pytest.mark.parametrize(
    ("host", "name", "text", "id_", "not_"),
    [
        (MAC, "torch", "MPS backend out of memory (allocated: 6 GB)", "out-of-memory", "nvidia-smi"),
        (LINUX, "torch", "OutOfMemoryError: HIP out of memory.", "out-of-memory", "nvidia-smi"),
        (LINUX, "torch", "error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)", "out-of-memory", "runtime"),
        (LINUX, "torch", "error: 20 (UR_RESULT_ERROR_DEVICE_LOST)", "device-lost", "usermod"),
        (LINUX, "torch", "DefaultCPUAllocator: can't allocate memory", "host-memory", "nvidia-smi"),
        (WINDOWS, "torch", "OSError: [WinError 1455] 页面文件太小", "host-memory", "vc_redist"),
        (WINDOWS, "torch", "DLL load failed: blockiert. [WinError 4551]", "blocked", "vc_redist"),
        (WINDOWS, "torch", "OMP: Error #15: Initializing libiomp5md.dll, but found", "openmp-twice", "export"),
        (WINDOWS, "torch", "PermissionError: [Errno 13] Permission denied: 'keras.json'", "read-only", "/tmp"),
        (LINUX, "tensorflow", "ModuleNotFoundError: No module named 'google.protobuf'", "module-missing", "keep"),
        (LINUX, "torch", "ImportError: libgomp.so.1: cannot open shared object file", "system-library", "torch'"),
        (LINUX, "torch", "libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent", "symbol", "torch'"),
        (LINUX, "torch", "libtorch_cuda.so: undefined symbol: ncclCommWindowRegister", "symbol", "torch'"),
        (LINUX, "torch", "libtorch_cpu.so: cannot enable executable stack", "executable-stack", "pip install"),
        (LINUX, "torch", "libtorch_cpu.so: failed to map segment from shared object", "no-code-there", "HOME"),
        (LINUX, "jax", "jaxlib version 0.4.31 is newer than and incompatible with jax version", "versions", "ask"),
        (LINUX | {"architecture": "aarch64"}, "torch", "ended by signal 4 (SIGILL)", "illegal-instruction", "AVX"),
        (LINUX, "tensorflow", "libdevice not found at ./libdevice.10.bc", "libraries", "ask"),
        (LINUX, "tensorflow", "kernel version 530.30.2 does not match DSO version 545.23.6", "driver-mismatch", "pip"),
        (LINUX, "jax", "plugin 0.7.0 is not compatible with the installed jaxlib version 0.10.2", "versions", "ask"),
        (LINUX, "jax", "operation cuptiGetVersion(&version) failed", "libraries", "ask"),
        (card(gpu(mig=True)), "torch", "Error 101: invalid device ordinal", "no-device", "docker"),
    ],
)  # fmt: skip
def test_words_and_their_one_meaning(host, name, text, id_, not_):
    finding = found(host, backend(name, error=text))[f"{name}-{id_}"]

    assert text in finding.seen
    assert not_ not in finding.fix


@pytest.mark.parametrize("words_", ["Unable to initialize backend 'cuda'", "Unknown backend: 'gpu' requested"])
def test_jax_is_told_a_platform_that_does_not_start(words_):
    log = "failed call to cuInit: CUDA_ERROR_SYSTEM_NOT_READY: system not yet initialized"
    variables = {"JAX_PLATFORMS": "cuda"}

    assert "unset JAX_PLATFORMS" in found(LINUX, backend("jax", error=words_), variables=variables)["jax-platform"].fix
    assert "jax-fabric-manager" in found(card(), backend("jax", error=words_, log=log), variables=variables)


def test_pytorch_on_a_mac_without_metal_is_a_note():
    assert "macOS" in found(MAC, backend("torch", "2.9.1"))["torch-metal"].fix


def test_under_rosetta_the_python_is_the_cause_and_not_the_wheels():
    host = MAC | {"architecture": "x86_64", "cpu_model": "Apple M2", "cpu_flags": ()}
    error = "RuntimeError: This version of jaxlib was built using AVX instructions, which your CPU does not support."
    results = found(host, backend("jax", error=error), backend("tensorflow", error="ended by signal 4 (SIGILL)"))

    assert ["rosetta"] == [name for name, finding in results.items() if finding.severity == "problem"]
    assert any("AVX instructions" in text for text in results["rosetta"].follows)


def test_an_older_build_is_no_remedy_where_there_is_none():
    host = card(gpu("Tesla T4", "7.5"), driver="470.1", driver_cuda="11.4")
    finding = found(host, backend("jax", log="INSUFFICIENT_DRIVER"), packages={"jax-cuda12-plugin": "0.10.2"})[
        "jax-driver"
    ]

    assert 1 == finding.fix.count("install NVIDIA's driver")


ELSEWHERE = {
    "Windows": (WINDOWS | {"pci_gpus": ("0x1002",)}, r"ls -l", "modprobe", "usermod", "export ", "unset "),
    "apptainer": (card(container="apptainer"), "docker run --gpus", "modprobe", "usermod"),
    "wsl": (card(wsl=True), "modprobe", "dkms", "from your distribution"),
}


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_no_saying_gives_commands_of_another_system(kind):
    host, *foreign = ELSEWHERE[kind]
    facts = Facts(host=HostFacts(**host), backends=(backend("torch"),))
    for saying in sayings.SAYINGS:
        if saying.when(facts):
            fix = fixes.spoken(said.fix_of(saying, facts, "torch"), facts.host.system)
            assert not [word for word in foreign if word in fix], (saying.id, fix)


@pytest.mark.parametrize(
    "line",
    [
        r"OSError: \\server\share\hans\venv\x.dll is missing",
        "cannot open file:///home/hans/x/y.so",
        "I xla/cuda_diagnostics.cc:167] retrieving CUDA diagnostic information for host: hans",
        "I xla/cuda_diagnostics.cc:170] hostname: hans",
    ],
)
def test_names_of_computers_and_shares_are_left_out(line):
    assert "hans" not in words.said(line)


def test_a_device_number_is_cut_before_it_is_pasted():
    facts = Facts(
        host=HostFacts(**card()),
        backends=(backend("torch", error="odd"),),
        variables={"CUDA_VISIBLE_DEVICES": "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"},
    )

    assert "d72c" not in rules.as_text(rules.diagnose(facts))


def test_an_error_on_several_lines_is_not_its_last_line():
    err = (
        'Traceback (most recent call last):\n  File "x.py", line 1\n'
        "RuntimeError: CUDA error: no kernel image is available for execution on the device\n"
        "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n"
    )

    assert words.why(1, err).startswith("RuntimeError: CUDA error: no kernel image")


@pytest.mark.parametrize("host", [WINDOWS, LINUX | {"wsl": True}])
def test_no_version_of_linux_drivers_is_asked_for_in_windows(host):
    known = {"gpus": (gpu("NVIDIA GeForce MX150", "6.1"),), "driver": "391.25", "driver_cuda": "9.1"}
    log = "The NVIDIA driver on your system is too old (found version 9010)"

    assert "525.60" not in found(host | known, backend("torch", **CUDA, log=log))["torch-driver"].fix


def test_tensorflow_on_windows_tells_its_cuda_as_64_112():
    known = card(gpu("NVIDIA GeForce RTX 2060", "7.5"), **WINDOWS)
    log = "Could not load dynamic library 'cudart64_110.dll'"
    results = found(known, backend("tensorflow", "2.10.1", cuda="64_112", log=log))

    assert "tensorflow-driver" not in results
    assert "CUDA 11.2" in results["tensorflow-and-cuda"].seen and log in results["tensorflow-and-cuda"].seen


def test_a_jetson_nano_with_its_old_python_is_sent_to_nvidias_builds():
    host = LINUX | {"architecture": "aarch64", "board": "NVIDIA Jetson Nano Developer Kit", "python": "3.6.9"}
    results = found(host, *NONE)

    assert not [name for name in results if name.endswith("-python")]
    assert "JetPack" in results["no-backend"].fix


def test_a_remote_user_without_rights_to_an_arc():
    host = LINUX | {"pci_gpus": ("0x8086",), "pci_drivers": ("xe",), "may_render": False, "remote": True}
    finding = found(host, backend("torch", xpu="2025"))["intel-gpu"]

    assert "may not open" in finding.means and "remote shell" in finding.fix


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the processor is told by /proc/cpuinfo")
def test_without_a_path_variable_the_processor_is_still_read(monkeypatch):
    cpu.cpu_facts.cache_clear()
    model = cpu.cpu_facts()
    monkeypatch.delenv("PATH")
    cpu.cpu_facts.cache_clear()

    assert model == cpu.cpu_facts()


# A cluster, a container, a board: what its owner gave.


@pytest.mark.parametrize(
    ("host", "variables", "word"),
    [
        ({}, {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": ""}, "srun --gres=gpu:1"),
        ({}, {"PBS_JOBID": "7", "CUDA_VISIBLE_DEVICES": "NoDevFiles"}, "ngpus=1"),
        ({"container": "docker"}, {}, "docker run --gpus all"),
    ],
)
def test_no_devices_were_found_by_a_job_that_was_given_none(host, variables, word):
    node = LINUX | BUS | {"driver": "550.90.07", "nvml": "answers"} | host
    results = found(node, backend("torch", **CUDA, log="CUDA unknown error"), variables=variables)

    (problem,) = (finding for finding in results.values() if finding.severity == "problem")
    assert word in problem.fix
    assert "open kernel modules" not in problem.fix and "unset" not in problem.fix
    assert any("CUDA unknown error" in text for text in problem.follows)


def test_the_other_gpus_of_a_node_belong_to_other_jobs():
    torch = backend("torch", **CUDA, gpus=(gpu().name,))
    results = found(
        card(gpu(), gpu()), torch, variables={"CUDA_VISIBLE_DEVICES": "1", "SLURM_JOB_ID": "7"}, keras_backend="torch"
    )

    assert "as the cluster gave them" in results["cuda-visible-devices-part"].means
    assert not any("unset" in finding.fix for finding in results.values())


@pytest.mark.parametrize("value", ["-1", "MIG-1d6c9e3a-0000", "GPU-8932f937-d72c"])
def test_a_driver_that_is_too_old_is_said_beside_a_variable(value):
    host = card(gpu("NVIDIA H100", "9.0"), driver="550.90.07", driver_cuda="12.4", python="3.12.3")
    log = "CUDA initialization: The NVIDIA driver on your system is too old (found version 12040)."
    torch = backend("torch", "2.11.0+cu130", cuda="13.0", log=log)
    results = found(host, torch, variables={"CUDA_VISIBLE_DEVICES": value})

    assert "whl/cu128" in results["torch-driver"].fix and log in results["torch-driver"].seen
    assert ("cuda-visible-devices" in results) == (value == "-1")


def test_a_thor_takes_the_builds_for_cuda_13_and_an_orin_nvidias():
    thor, orin = "NVIDIA Jetson AGX Thor Developer Kit", "NVIDIA Jetson Orin Nano"
    fix = {
        board: found(LINUX | {"board": board, "architecture": "aarch64", "python": "3.12.3"}, backend("torch"))[
            "jetson"
        ].fix
        for board in (thor, orin)
    }

    assert "whl/cu130" in fix[thor]
    assert "pip" not in fix[orin] and "JetPack" in fix[orin]


def test_a_container_without_the_right_to_kfd_is_given_its_groups():
    host = LINUX | {"container": "docker", "pci_gpus": ("0x1002",), "has_kfd": True, "may_render": False}
    log = words.said("Unable to open /dev/kfd read-write: Permission denied")
    finding = found(host, backend("torch", "2.9.0+rocm7.0", rocm="7.0", log=log))["torch-rocm"]

    assert "/dev/kfd" in finding.seen
    assert "--group-add video" in finding.fix


# What is said, in full.


def test_keras_says_why_on_several_lines_and_they_are_one():
    told = (
        '{"version": "2.9.1", "gpus": [], "keras_error": "AcceleratorError: CUDA error: feature is not licensed\\n'
        "CUDA kernel errors might be asynchronously reported at some other API call\\n"
        'Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions."}'
    )
    backend_ = collect.answered(BackendFacts(name="torch", installed=True), 0, told, "")

    assert "AcceleratorError: CUDA error: feature is not licensed" == backend_.keras_error


def test_the_line_above_the_error_tells_the_reason():
    err = (
        "E1129 09:55:28.117000 41 cuda_dnn.cc:501] Loaded runtime CuDNN library: 9.1.0 but source was compiled with 9\n"
        "jaxlib.XlaRuntimeError: FAILED_PRECONDITION: DNN library initialization failed. Look at the errors above\n"
    )
    jax = collect.answered(BackendFacts(name="jax", installed=True, version="0.6.2"), 1, "", err)
    finding = found(card(python="3.12.3"), jax)["jax-older-library"]

    assert "Loaded runtime CuDNN library: 9.1.0" in finding.seen
    assert "DNN library initialization failed" in finding.seen


@pytest.mark.parametrize(
    ("host", "name", "text", "id_"),
    [
        (card(), "torch", "CUDA driver initialization failed, you might not have a CUDA gpu.", "torch-cuda-start"),
        (card(), "jax", "Error loading CUDA libraries. GPU will not be used.", "jax-libraries"),
        (card(), "jax", "UNKNOWN: DNN library initialization failed", "jax-cudnn-start"),
    ],
)
def test_a_saying_that_names_no_reason_claims_none(host, name, text, id_):
    results = found(host, backend(name, error=text))

    assert text in results[id_].seen
    assert not results[id_].paste


def test_intels_loader_is_missing_and_only_that_is_said():
    torch = backend("torch", "2.10.0+xpu", error="libze_loader.so.1: cannot open shared object file: No such file")
    results = found(LINUX | {"pci_gpus": ("0x8086",), "pci_drivers": ("i915",)}, torch)

    (problem,) = (finding for finding in results.values() if finding.severity == "problem")
    assert "libze_loader" in problem.seen and "dgpu-docs.intel" in problem.fix


def test_an_error_that_nobody_knows_on_a_card_that_the_plug_in_gave_up():
    packages = {"jax-cuda13-plugin": "0.9.0", "jax-cuda13-pjrt": "0.9.0", "jaxlib": "0.9.0"}
    jax = backend("jax", "0.9.0", error="JaxRuntimeError: INTERNAL: something new")
    results = found(card(gpu("NVIDIA TITAN V", "7.0"), python="3.12.3"), jax, packages=packages)

    assert "something new" in results["jax-architecture"].seen
    assert "jax[cuda12]" in results["jax-architecture"].fix
    assert "jax-broken" not in results


def test_a_crash_with_metals_plug_in_beside_it():
    packages = {"tensorflow": "2.18.0", "tensorflow-metal": "1.1.0"}
    tensorflow = backend("tensorflow", "2.18.0", error="ended by signal 11 (SIGSEGV)")
    finding = found(MAC, tensorflow, packages=packages)["tensorflow-metal"]

    assert "we do not know" in finding.means and "SIGSEGV" in finding.seen
    assert "pip uninstall -y tensorflow-metal" in finding.fix


def test_the_plug_in_for_rocm_is_of_another_version():
    host = LINUX | {"pci_gpus": ("0x1002",), "has_kfd": True, "gfx": ("gfx1100",), "python": "3.12.3"}
    packages = {"jax-rocm7-plugin": "0.7.1", "jaxlib": "0.8.2"}
    finding = found(host, backend("jax", "0.8.2"), packages=packages)["jax-plugin-version"]

    assert "jax-rocm7-plugin 0.7.1" in finding.seen
    assert any("without ROCm" in text for text in finding.follows)


@pytest.mark.parametrize("architecture", ["x86_64, musl", "AMD64, 32-bit Python"])
def test_alpine_and_32_bits_take_no_wheel(architecture):
    system = "Windows" if "AMD64" in architecture else "Linux"
    finding = found(LINUX | {"system": system, "architecture": architecture}, *NONE)["no-backend"]

    assert "pip install" not in finding.fix
    assert ("glibc" if "musl" in architecture else "64 bits") in finding.fix


def test_numbers_that_cannot_be_are_not_repeated():
    host = card(GpuFacts(name="", memory_bytes=-3, free_bytes=-1, n_processes=-2), gpu())
    results = found(host | {"free_bytes": -5, "memory_limit_bytes": -1, "load_1min": -1.0, "n_effective": 0})

    assert {"gpu-memory", "memory", "memory-limit", "load"}.isdisjoint(results)
    assert not any("-" in text.seen.partition(" GB")[0][-6:] for text in results.values())


def test_shared_memory_of_a_pod():
    host = LINUX | {"container": "kubernetes", "shm_bytes": 64 * 2**20}

    assert "docker" not in found(host)["shared-memory"].fix


def test_a_backend_of_keras_that_trains_nothing_gives_way_to_one_that_is_there():
    results = found(MAC, backend("torch", gpus=("Apple GPU (mps)",)), keras_backend="mlx")

    assert "export KERAS_BACKEND=torch" == results["keras-backend"].fix


def test_the_graphics_of_a_laptops_ryzen_have_a_build_and_are_named_once():
    host = LINUX | {"pci_gpus": ("0x1002",), "has_kfd": True, "gfx": ("gfx1103",), "python": "3.12.3"}
    words_ = {"keras_error": "HIP error: invalid device function", "architectures": ("gfx1100",)}
    torch = backend("torch", "2.12.0+rocm7.2", rocm="7.2", gpus=("AMD Radeon Graphics (gfx1103)",), **words_)
    finding = found(host, torch)["torch-architecture"]

    assert 1 == finding.seen.count("gfx1103")
    assert "whl/rocm" in finding.fix


def test_a_t4g_beside_an_arm_processor_has_no_build_of_pytorch():
    host = card(gpu("NVIDIA T4G", "7.5"), architecture="aarch64", python="3.12.3")
    results = found(host, backend("torch", "2.11.0+cpu"), *NONE[1:2])

    assert "whl/cu" not in results["torch-cpu-wheel"].fix and "from source" in results["torch-cpu-wheel"].fix
    assert "jax[cuda13]" in results["jax-absent"].fix
