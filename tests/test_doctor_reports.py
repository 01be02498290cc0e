"""What users reported, each as the symptom that they saw: the doctor names the cause, and the fix does no harm."""

import builtins
import importlib.metadata
import os
import platform
from types import SimpleNamespace

import pytest

from bench.doctor import collect, rules, words
from bench.doctor import host as doctor_host
from bench.doctor.facts import BackendFacts, CoreKind, Facts, GpuFacts, HostFacts
from bench.machine import cpu, describe, owner
from bench.machine import nvml as machine_nvml
from bench.machine.nvml import Nvml

LINUX = {"system": "Linux", "cpu_flags": ("avx", "avx2", "avx512_bf16")}
MAC = {"system": "Darwin", "architecture": "arm64", "cpu_model": "Apple M4", "cpu_flags": ("asimd", "bf16")}
OLD_BUILD = ("sm_70", "sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")


def gpu(name="NVIDIA GeForce RTX 4070", capability="8.9", **fields):
    return GpuFacts(name=name, compute_capability=capability, memory_bytes=12 * 10**9, **fields)


def card(*gpus, **host):
    """A Linux machine with NVIDIA's driver and some cards."""
    known = {"gpus": gpus or (gpu(),), "driver": "580.95.05", "driver_cuda": "13.0", "pci_gpus": ("0x10de",)}
    return LINUX | known | host


def backend(name, version="", **fields):
    versions = {"tensorflow": "2.21.0", "jax": "0.10.2", "torch": "2.9.1+cu128"}
    return BackendFacts(name=name, installed=True, version=version or versions[name], keras_placed="cpu", **fields)


def found(host, *backends, **fields):
    facts = Facts(host=HostFacts(**host), backends=backends, **fields)
    return {finding.id: finding for finding in rules.diagnose(facts)}


def only_problem(host, *backends, **fields):
    (finding,) = (one for one in found(host, *backends, **fields).values() if one.severity == "problem")
    return finding


def test_no_kernel_image_on_a_card_that_is_older_than_the_build():
    words_ = "AcceleratorError: CUDA error: no kernel image is available for execution on the device"
    torch = backend(
        "torch", "2.8.0+cu128", cuda="12.8", gpus=("GTX 1050",), architectures=OLD_BUILD, keras_error=words_
    )

    finding = only_problem(card(gpu("GTX 1050", "6.1"), driver_cuda="12.4", python="3.12.1"), torch)

    assert "torch-architecture" == finding.id
    assert "OLDER" in finding.means
    assert words_ in finding.seen
    assert "'torch==2.8.*' --index-url https://download.pytorch.org/whl/cu126" in finding.fix
    assert any("Keras does not start" in text for text in finding.follows)


def test_no_kernel_image_on_a_card_that_is_newer_than_the_build():
    torch = backend("torch", "2.6.0+cu124", cuda="12.4", gpus=("RTX 5090",), architectures=("sm_80", "sm_90"))

    finding = only_problem(card(gpu("RTX 5090", "12.0"), python="3.12.1"), torch)

    assert "NEWER" in finding.means
    assert "whl/cu130" in finding.fix


@pytest.mark.parametrize(
    ("capability", "python", "words_"),
    [("5.2", "3.12.1", "==2.16.*"), ("5.2", "3.13.1", "Python 3.12 or older"), ("3.0", "3.12.1", "no published build")],
)
def test_tensorflow_on_a_card_that_its_newest_release_gave_up(capability, python, words_):
    tensorflow = backend("tensorflow", cuda="12.5.1", architectures=("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"))

    finding = found(card(gpu("old", capability), python=python), tensorflow)["tensorflow-architecture"]

    assert words_ in finding.fix
    assert "-U" not in finding.fix


def test_a_driver_that_announces_cuda_13_and_a_card_that_cuda_13_gave_up():
    finding = only_problem(card(gpu("NVIDIA GeForce GTX 1080", "6.1")), backend("jax"))

    assert "jax[cuda12]" in finding.fix
    assert "Pascal" in finding.means


def test_a_plug_in_for_cuda_13_beside_a_card_that_it_gave_up():
    packages = {"jax-cuda13-plugin": "0.8.0", "jax-cuda13-pjrt": "0.8.0", "jaxlib": "0.8.0"}
    jax = backend("jax", "0.8.0", error="JaxRuntimeError: no kernel image is available for execution on the device")

    finding = only_problem(card(gpu("NVIDIA GeForce GTX 1080", "6.1")), jax, packages=packages)

    assert "OLDER" in finding.means
    assert "pip uninstall -y jax-cuda13-plugin jax-cuda13-pjrt; pip install -U" in finding.fix
    assert "jax[cuda12]" in finding.fix


def test_a_build_that_does_not_list_its_architectures_is_looked_up():
    words_ = "RuntimeError: CUDA error: no kernel image is available for execution on the device"
    torch = backend("torch", "2.11.0+cu128", cuda="12.8", gpus=("Tesla V100",), keras_error=words_)

    finding = only_problem(card(gpu("Tesla V100", "7.0"), python="3.12.1"), torch)

    assert "OLDER" in finding.means
    assert "'torch==2.11.*' --index-url https://download.pytorch.org/whl/cu126" in finding.fix


def test_a_newer_driver_does_not_help_a_card_that_the_build_gave_up():
    log = "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 12040)"
    old = card(gpu("Tesla P100", "6.0"), driver="550.1", driver_cuda="12.4", python="3.12.1")

    finding = only_problem(old, backend("torch", "2.15.0+cu130", cuda="13.0", log=log))

    assert log in finding.seen
    assert "a newer driver will not help" in finding.means
    assert "nvidia-smi" not in finding.fix and "whl/cu126" in finding.fix


# Four states of a driver.


def test_nvidia_smi_says_no_devices_were_found():
    host = LINUX | {"pci_gpus": ("0x10de",), "driver": "575.51.03", "driver_cuda": "12.9", "nvml": "answers"}

    finding = only_problem(host, backend("torch", cuda="12.8"))

    assert "575.51.03 is loaded" in finding.seen
    assert "open" in finding.fix
    assert "Above 4G Decoding" in finding.fix


@pytest.mark.parametrize(
    ("host", "id_", "words_"),
    [
        ({"nvml": "no library"}, "nvidia-driver", "install NVIDIA's driver"),
        ({"nvml": "no binding"}, "nvidia-not-asked", "nvidia-smi"),
        ({"driver_error": "Driver Not Loaded", "nvml": "silent"}, "nvidia-driver-not-loaded", "modprobe nvidia"),
        ({"driver_error": "Driver/library version mismatch"}, "nvidia-driver-mismatch", "restart"),
        ({"driver_error": "green cheese"}, "nvidia-driver-silent", "forums.developer.nvidia.com"),
        ({"driver": "575.1"}, "nvidia-no-card", "NVRM"),
        ({"pci_drivers": ("nouveau",)}, "nvidia-nouveau", "install NVIDIA's driver"),
        ({"container": "docker", "kernel_module": "570.1"}, "nvidia-outside", "--gpus all"),
        ({"wsl": True}, "nvidia-outside", "in Windows"),
        ({"container": "docker", "driver_error": "Unknown Error"}, "nvidia-rights-lost", "restart the container"),
    ],
)
def test_states_of_a_driver_are_not_taken_for_each_other(host, id_, words_):
    finding = only_problem(LINUX | {"pci_gpus": ("0x10de",)} | host)

    assert id_ == finding.id
    assert words_ in finding.fix
    assert host.get("driver_error", "") in finding.seen


def test_the_binding_is_absent_and_the_card_works():
    torch = backend("torch", cuda="12.8", gpus=("NVIDIA GeForce RTX 4070",))

    results = found(LINUX | {"pci_gpus": ("0x10de",), "nvml": "no binding"}, torch)

    assert "note" == results["nvidia-binding"].severity
    assert "nvidia-ml-py" in results["nvidia-binding"].fix
    assert {"problem"} & {finding.severity for finding in results.values()} == set()


def test_a_laptop_with_switched_graphics_has_its_card_off():
    finding = only_problem(LINUX | {"pci_gpus": ("0x8086",), "driver": "580.1", "nvml": "answers"})

    assert "prime-select nvidia" in finding.fix


def test_a_windows_gpu_without_nvml_is_not_said_to_be_no_gpu():
    results = found({"system": "Windows", "cpu_flags": ("avx", "avx2")}, backend("torch"))

    assert "no-gpu" not in results
    assert "not the same as not there" in results["gpu-not-told"].means


def test_a_gb10_whose_driver_refuses_the_memory_query():
    class Refuses:
        NVMLError = RuntimeError

        def nvmlDeviceGetCount(self):
            return 1

        def nvmlDeviceGetHandleByIndex(self, index):
            return index

        def nvmlDeviceGetName(self, handle):
            return "NVIDIA GB10"

        def nvmlDeviceGetMemoryInfo(self, handle):
            raise RuntimeError("Not Supported")

    nvml = Nvml(Refuses())
    told = doctor_host.nvml_facts(nvml)
    results = found(LINUX | told)

    assert "Not Supported" == nvml.refused["nvmlDeviceGetMemoryInfo"]
    assert "the system's" in results["gpu-system-memory"].means
    assert "GB10" in results["gpu"].seen
    assert nvml.describe(0).memory_bytes is None


# The backend's own words.


@pytest.mark.parametrize(
    ("log", "id_", "words_", "not_"),
    [
        ("Error 802: system not yet initialized", "torch-fabric-manager", "nvidia-fabricmanager", "pip install"),
        ("Error 804: forward compatibility was attempted", "torch-forward-compatibility", "cuda-compat", "pip install"),
        ("driver on your system is too old (found version 11040)", "torch-driver-too-old", "driver", "-U torch"),
        ("CUDA unknown error - maybe CUDA_VISIBLE_DEVICES", "torch-unknown-cuda-error", "nvidia_uvm", "pip install"),
        ("devices are busy or unavailable", "torch-busy", "nvidia-smi", "pip install"),
        ("the moon is in the wrong house", "torch-unseen", "github.com/pytorch", "pip install"),
    ],
)
def test_the_reason_that_the_backend_gave_stands_first(log, id_, words_, not_):
    finding = only_problem(card(python="3.12.1"), backend("torch", cuda="12.8", log=log))

    assert id_ == finding.id
    assert log in finding.seen
    assert words_ in finding.fix
    assert not_ not in finding.fix


@pytest.mark.parametrize(
    ("log", "id_"),
    [
        (
            "An NVIDIA GPU may be present on this machine, but a CUDA-enabled jaxlib is not installed",
            "jax-plugin-missing",
        ),
        ("Unable to load cuDNN. Is it installed?", "jax-libraries"),
        ("Outdated cuDNN installation found. Version JAX was built against: 9800", "jax-older-library"),
    ],
)
def test_jax_says_why_in_its_own_sentences(log, id_):
    packages = {"jax-cuda12-plugin": "0.10.2", "jaxlib": "0.10.2"}

    assert log in only_problem(card(), backend("jax", log=log), packages=packages).seen
    assert {id_} <= set(found(card(), backend("jax", log=log), packages=packages))


def test_words_that_no_rule_knows_come_with_facts_to_paste(monkeypatch):
    finding = only_problem(card(), backend("torch", error="ValueError: the moon", cuda="12.8"))

    assert "we do not know" in finding.means
    assert "says: ValueError: the moon" in finding.paste
    assert "compute capability 8.9" in finding.paste
    assert finding.paste.splitlines()[0] in rules.as_text((finding,))


def test_facts_to_paste_are_printed_once():
    error = "ValueError: the moon"
    facts = Facts(host=HostFacts(**LINUX), backends=(backend("torch", error=error), backend("jax", error=error)))

    text = rules.as_text(rules.diagnose(facts))

    assert 1 == text.count("facts to paste")
    assert 2 == text.count("github.com/")


def test_what_a_backend_writes_is_kept_but_for_its_chatter():
    err = (
        "torch/cuda/__init__.py:174: UserWarning: CUDA initialization: Error 802: system not yet initialized\n"
        "  return torch._C._cuda_getDeviceCount() > 0\n"
        "2026-01-01 10:00:00.1: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.\n"
        "2026-01-01 10:00:00.1: E xla/cuda.cc:51] failed call to cuInit: UNKNOWN ERROR (303)\n"
    )

    assert [
        "torch/cuda/__init__.py:174: UserWarning: CUDA initialization: Error 802: system not yet initialized",
        "failed call to cuInit: UNKNOWN ERROR (303)",
    ] == words.said(err).split(" | ")
    assert "an odd last word" == words.said("an odd last word\n")


@pytest.mark.parametrize(
    ("code", "words_"),
    [(3221225501, "illegal instruction"), (-1073741795, "illegal instruction"), (3221225477, "access violation")],
)
def test_windows_exit_codes_are_read(code, words_):
    assert words_ in words.why(code, "")


def test_folders_with_spaces_and_other_letters_are_left_out(monkeypatch):
    monkeypatch.setattr(owner.getpass, "getuser", lambda: "müller")

    line = words.clean(r"OSError: [WinError 126] C:\Users\Jörg Müller\venv\Lib\fbgemm.dll; owner müller")

    assert "OSError: [WinError 126] fbgemm.dll; owner (name)" == line


# Other makers.


def test_an_intel_card_on_the_bus():
    words_ = "UserWarning: XPU device count is zero!"
    host = LINUX | {"pci_gpus": ("0x8086",), "pci_drivers": ("xe",)}

    results = found(host, backend("torch", "2.6.0+xpu", xpu="2025", log=words_))

    finding = results["intel-gpu"]
    assert words_ in finding.seen and "xe" in finding.seen
    assert "Level Zero" in finding.means and "does not measure on xpu" in finding.means
    assert "no-gpu" not in results


@pytest.mark.parametrize(
    ("gfx", "architectures", "words_"),
    [((), (), "rocminfo"), (("gfx1151",), ("gfx1100", "gfx90a"), "gfx1151"), (("gfx803",), ("gfx1100",), "AMD's own")],
)
def test_invalid_device_function_on_an_amd_chip(gfx, architectures, words_):
    error = "RuntimeError: HIP error: invalid device function"
    host = LINUX | {"pci_gpus": ("0x1002",), "has_kfd": True, "gfx": gfx}
    torch = backend("torch", "2.9.0+rocm6.4", rocm="6.4", gpus=("AMD",), keras_error=error, architectures=architectures)

    finding = only_problem(host, torch)

    assert "torch-architecture" == finding.id
    assert error in finding.seen
    assert words_ in finding.fix and "unsupported" in finding.fix
    assert "whl/cu" not in finding.fix


def test_rocm_finds_no_device_in_a_remote_shell():
    log = "Unable to open /dev/kfd read-write: Permission denied"
    host = LINUX | {"pci_gpus": ("0x1002",), "has_kfd": True, "may_render": False, "remote": True}

    finding = only_problem(host, backend("torch", "2.9.0+rocm6.4", rocm="6.4", log=log))

    assert log in finding.seen
    assert "usermod -aG render,video" in finding.fix and "remote shell" in finding.fix


def test_default_memory_space_is_not_supported():
    error = "JaxRuntimeError: UNIMPLEMENTED: default_memory_space is not supported."

    finding = only_problem(MAC, backend("jax", "0.8.2", error=error), packages={"jax-metal": "0.1.1"})

    assert error in finding.seen
    assert "after 0.5.0" in finding.means
    assert "pip uninstall -y jax-metal" in finding.fix and "KERAS_BACKEND=torch" in finding.fix


@pytest.mark.parametrize(("name", "version"), [("jax", "0.5.2"), ("jax", "0.4.34"), ("tensorflow", "2.21.0")])
def test_a_mac_whose_cpu_backend_works_is_left_alone(name, version):
    results = found(MAC, backend(name, version))

    assert "note" == results[f"{name}-metal"].severity
    assert not any("pip install" in finding.fix for finding in results.values())


def test_a_plug_in_that_is_too_old_for_its_framework_explains_any_words():
    jax = backend("jax", "0.7.0", gpus=("METAL",), keras_error="XlaRuntimeError: failed to legalize an operation")

    finding = only_problem(MAC, jax, packages={"jax-metal": "0.1.1"})

    assert "failed to legalize" in finding.seen
    assert "pip uninstall -y jax-metal" in finding.fix


def test_an_amd_card_on_windows_is_named():
    host = {"system": "Windows", "cpu_flags": ("avx", "avx2"), "pci_gpus": ("0x1002",)}

    results = found(host, backend("torch", "2.9.1+cpu"))

    assert "AMD's own wheels for Windows" in results["torch-rocm"].fix
    assert "no-gpu" not in results


def test_a_jetson_is_given_no_wheel_of_the_package_index():
    host = LINUX | {"architecture": "aarch64", "board": "NVIDIA Jetson Orin Nano Developer Kit", "driver_error": "odd"}

    finding = only_problem(host, backend("torch", "2.9.0+cpu"), backend("jax"))

    assert "JetPack" in finding.fix
    assert '"odd"' in finding.seen


# Cards in parts and of several kinds.


def test_a_slice_of_a_busy_card_is_not_told_to_end_processes():
    busy = gpu("NVIDIA H100", "9.0", free_bytes=10**9, n_processes=7, mig=True)

    assert {"gpu-memory", "gpu-shared"} & set(found(card(busy))) == set()


def test_cards_of_several_kinds_are_counted_in_two_orders():
    results = found(card(gpu(), gpu("NVIDIA GeForce GTX 1080", "6.1")))

    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in results["cuda-device-order"].fix
    assert "cuda-device-order" not in found(card(gpu(), gpu()))


def test_an_old_second_card_does_not_speak_for_the_one_in_use():
    torch = backend("torch", cuda="13.0", gpus=("NVIDIA GeForce RTX 4070",), architectures=("sm_80", "sm_90"))

    assert "torch-architecture" not in found(card(gpu(), gpu("NVIDIA GeForce GTX 1080", "6.1")), torch)


# Python, users, cores.


@pytest.mark.parametrize(
    ("system", "python", "command"),
    [
        ("Windows", "3.14.3", "py -3.13 -m venv"),
        ("Linux", "3.15.0", "python3.13 -m venv"),
        ("Linux", "3.9.1", "python3.10"),
    ],
)
def test_no_matching_distribution_found(system, python, command):
    backends = [BackendFacts(name=name) for name in ("tensorflow", "jax", "torch")]

    finding = only_problem(LINUX | {"system": system, "python": python}, *backends, keras_backend="tensorflow")

    assert "tensorflow-python" == finding.id
    assert command in finding.fix
    assert "pip install tensorflow" not in finding.fix


def test_a_user_id_without_a_name():
    error = "KeyError: 'getpwuid(): uid not found: 1042'"

    finding = only_problem(LINUX | {"container": "docker"}, backend("torch", keras_error=error))

    assert error in finding.seen
    assert "export USER=user" in finding.fix and "pip install" not in finding.fix


@pytest.mark.parametrize("kinds", [(), (CoreKind(n_cores=6, n_threads=12), CoreKind(n_cores=8, n_threads=8))])
def test_fast_and_slow_cores(kinds):
    host = LINUX | {"n_visible": 20, "n_effective": 20, "n_physical": 14, "core_kinds": kinds}

    results = found(host, variables={"OMP_NUM_THREADS": "16"})

    assert "--threads 6" in results["unlike-cores"].fix
    assert "smt" not in results
    assert "unset" not in results["omp-num-threads"].fix
    assert "omp-num-threads" not in found(host, variables={"OMP_NUM_THREADS": "6"})


def test_one_thread_for_each_physical_core_is_no_fault():
    host = LINUX | {"n_visible": 16, "n_effective": 16, "n_physical": 8, "cpu_model": "AMD Ryzen 7 5800X"}

    results = found(host, variables={"OMP_NUM_THREADS": "8"})

    assert "omp-num-threads" not in results and "--threads 8" in results["smt"].fix
    assert "omp-num-threads" in found(host, variables={"OMP_NUM_THREADS": "4"})


@pytest.mark.parametrize("model", ["Intel(R) Xeon(R) Platinum 8480", "QEMU Virtual CPU version 2.5+", "AMD EPYC 7B13"])
def test_an_odd_number_of_threads_of_a_server_is_no_second_kind_of_cores(model):
    host = LINUX | {"n_visible": 3, "n_effective": 3, "n_physical": 2, "cpu_model": model}

    assert "unlike-cores" not in found(host)


def test_a_second_card_that_no_build_has_code_for_beside_the_first():
    torch = backend(
        "torch", cuda="12.8", gpus=("RTX 5080", "GTX 1080"), architectures=("sm_70", "sm_75", "sm_86", "sm_120")
    )

    finding = found(card(gpu("GTX 1080", "6.1"), gpu("RTX 5080", "12.0"), python="3.12.1"), torch)["torch-architecture"]

    assert "note" == finding.severity
    assert "CUDA_VISIBLE_DEVICES" in finding.fix and "pip install" not in finding.fix


def test_an_old_driver_of_an_old_card_is_no_second_problem():
    torch = backend("torch", cuda="12.8", architectures=("sm_75", "sm_80"))
    host = card(gpu("Tesla K80", "3.7"), driver="470.223", driver_cuda="11.4", python="3.12.1")

    assert "whl/cu118" in only_problem(host, torch).fix


def test_a_card_that_no_build_has_code_for_leaves_the_cpu():
    host = card(gpu("GTX 680", "3.0"), driver="470.223", driver_cuda="11.4", python="3.12.1")
    absent = [BackendFacts(name=name) for name in ("tensorflow", "jax", "torch")]

    finding = only_problem(host, *absent, keras_backend="tensorflow")

    assert finding.fix.startswith("pip install tensorflow ") and "no published build" in finding.fix


@pytest.mark.parametrize(
    ("packages", "words_", "expected"),
    [
        ({"jax-cuda12-plugin": "0.10.2", "jax-cuda13-plugin": "0.10.2"}, "ALREADY_EXISTS: PJRT_Api", "jax-twice"),
        ({"tensorflow": "2.21.0", "tf-nightly": "2.22.0.dev1"}, "no attribute '__version__'", "tensorflow-twice"),
        ({"tensorflow-directml-plugin": "0.4.0"}, "undefined reference", "tensorflow-directml"),
    ],
)
def test_packages_that_do_not_go_together_explain_a_backend_that_does_not_start(packages, words_, expected):
    finding = only_problem(card(python="3.12.1"), backend(expected.partition("-")[0], error=words_), packages=packages)

    assert expected == finding.id
    assert any(words_ in text for text in finding.follows)


def test_a_plugin_of_jax_stays_of_its_generation_where_that_fits():
    words_ = "Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.8.0."
    packages = {"jax-cuda12-plugin": "0.10.2", "jaxlib": "0.10.2"}

    finding = only_problem(card(python="3.12.1"), backend("jax", log=words_), packages=packages)

    assert finding.fix.endswith("pip install -U 'jax[cuda12]'")


def test_jax_compiles_for_the_card_itself_whatever_its_wheels_hold():
    jax = backend("jax", cuda="12", gpus=("NVIDIA B200",))

    assert "jax-compiles-first" not in found(card(gpu("B200", "10.0")), jax, packages={"jax-cuda12-plugin": "0.10.2"})


def test_a_driver_of_the_host_that_is_not_handed_into_a_container():
    host = LINUX | {"container": "docker", "nvml": "silent", "driver_error": "Driver Not Loaded"}

    finding = only_problem(host | {"kernel_module": "580.95.05"}, backend("torch", cuda="12.8"))

    assert "--gpus all" in finding.fix and "update" not in finding.fix


def test_an_intel_card_in_a_container_is_handed_in_without_amds_device():
    words_ = "zeInit failed: ZE_RESULT_ERROR_UNINITIALIZED"
    host = LINUX | {"container": "docker", "pci_gpus": ("0x8086",), "pci_drivers": ("xe",)}

    finding = only_problem(host, backend("torch", "2.9.0+xpu", xpu="2025.2", log=words_))

    assert "--device=/dev/dri" in finding.fix and "kfd" not in finding.fix


def test_a_build_for_intel_beside_an_nvidia_card():
    host = card(pci_gpus=("0x8086", "0x10de"), pci_drivers=("i915", "nvidia"), python="3.12.1")

    finding = only_problem(host, backend("torch", "2.9.1+xpu", xpu="2025.2"))

    assert "torch-other-build" == finding.id and "whl/cu130" in finding.fix


def test_eight_cards_of_one_kind_are_named_once():
    host = LINUX | {"pci_gpus": ("0x1002",) * 8, "has_kfd": True, "may_render": True, "gfx": ("gfx942",) * 8}

    assert 1 == only_problem(host, backend("torch", "2.9.1+cu128", cuda="12.8")).seen.count("gfx942")


@pytest.mark.parametrize(
    ("words_", "id_", "fix"),
    [
        ("ImportError: DLL load failed: The filename or extension is too long.", "torch-long-path", "short name"),
        ("UnicodeEncodeError: 'charmap' codec can't encode character", "torch-code-page", "$env:PYTHONUTF8='1'"),
        ("OSError: [WinError 126] Error loading c10.dll", "torch-dll", "Visual C++"),
    ],
)
def test_what_windows_refuses(words_, id_, fix):
    finding = only_problem({"system": "Windows", "cpu_flags": ("avx", "avx2", "bf16")}, backend("torch", error=words_))

    assert id_ == finding.id and fix in finding.fix and words_ in finding.seen


def test_a_second_python_that_the_system_does_not_start():
    finding = only_problem(LINUX, backend("torch", error="its probe could not be started: Permission denied"))

    assert "torch-not-started" == finding.id and "HOME" not in finding.fix and "ulimit -u" in finding.fix


def test_a_processor_without_avx_is_not_sent_to_jax():
    finding = only_problem(LINUX | {"cpu_flags": ("sse4_2",)}, backend("jax", error="ended by signal 4 (SIGILL)"))

    assert "no-avx" == finding.id and "JAX" not in finding.fix


# It must not crash.


def refuse(*_, **__):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("module", "name", "fact"),
    [
        (describe, "describe", "machine"),
        (doctor_host.cores, "cores", "cores"),
        (doctor_host.cores, "memory_limit", "memory limit"),
        (doctor_host.meters, "load_1min", "load"),
        (doctor_host, "graphics_cards", "graphics cards"),
        (doctor_host, "container", "container"),
        (machine_nvml, "opened", "NVML"),
        (platform, "release", "kernel"),
        (platform, "python_version", "python"),
    ],
)
def test_a_refused_query_is_a_fact_of_its_own(module, name, fact, monkeypatch):
    monkeypatch.setattr(module, name, refuse)

    host = doctor_host.host()

    assert "PermissionError: Permission denied" == host.refused[fact]
    assert fact in found({f: getattr(host, f) for f in host.__struct_fields__})["refused"].seen


def test_without_home_user_name_psutil_and_load_the_doctor_answers(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name in ("psutil", "cpuinfo", "pynvml"):
            raise OSError(f"{name} may not read /proc")
        return real(name, *arguments, **named)

    for name in ("HOME", "USER", "LOGNAME", "KERAS_BACKEND", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(os, "getloadavg", refuse)
    monkeypatch.setattr(collect.Path, "home", refuse)
    monkeypatch.setattr(owner.getpass, "getuser", refuse)
    monkeypatch.setattr(collect.software, "backend_version", lambda _: None)
    cpu.cpu_facts.cache_clear()

    facts = collect.collect()

    cpu.cpu_facts.cache_clear()
    assert "no binding" == facts.host.nvml
    assert "tensorflow" == facts.keras_backend
    assert rules.as_text(rules.diagnose(facts))
    assert describe.describe().memory_bytes > 0


def test_a_probe_that_cannot_be_started_or_answers_nonsense(monkeypatch):
    monkeypatch.setattr(collect.software, "backend_version", lambda _: "1.0")
    absent = collect.ask("jax", command=("/no/such/program",))
    odd = collect.answered(backend("jax"), 0, '{"gpus": 3}', "")

    assert "could not be started" in absent.error
    assert "cannot be read" in odd.error


def test_damaged_metadata_of_one_package_hide_no_other(monkeypatch):
    class Damaged:
        @property
        def name(self):
            raise UnicodeDecodeError("utf-8", b"", 0, 1, "bad")

    fine = SimpleNamespace(name="Torch", version="2.9.1")
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: [Damaged(), fine])

    assert {"torch": "2.9.1"} == collect.packages()
