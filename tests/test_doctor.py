"""Every rule of the doctor on made-up facts, what collects the facts on made-up files, and broken backends for real."""

import json
import sys
import time
from types import SimpleNamespace

import pytest

from bench.doctor import backends as doctor_backends
from bench.doctor import collect as vitals
from bench.doctor import facts as doctor_facts
from bench.doctor import host as doctor_host
from bench.doctor import probe, rules
from bench.doctor.facts import BackendFacts, Facts, GpuFacts, HostFacts
from bench.machine import software
from bench.machine.nvml import Nvml
from bench.records.codec import encode
from bench.schema import BACKENDS
from tests.test_machine import FakeNvml, FakeNvmlError

H200 = GpuFacts(name="NVIDIA H200", memory_bytes=150 * 10**9, free_bytes=149 * 10**9, compute_capability="9.0")
GPU_HOST = {
    "gpus": (H200,),
    "driver": "580.159.03",
    "driver_cuda": "13.0",
    "pci_gpus": ("0x10de",),
    "n_visible": 16,
    "n_effective": 16,
}
VERSIONS = {"tensorflow": "2.21.0", "jax": "0.10.2", "torch": "2.13.0+cu130"}
CUDA = {"tensorflow": "12.5.1", "jax": "13", "torch": "13.0"}


def make_backend(name, **fields):
    known = {"name": name, "installed": True, "version": VERSIONS[name], "placed": "cpu", "keras_placed": "cpu"}
    return BackendFacts(**known | fields)


def working(name):
    return make_backend(name, gpus=("NVIDIA H200",), placed="gpu", keras_placed="gpu", cuda=CUDA[name])


def make_facts(*backends, host=None, **fields):
    known = {"system": "Linux", "cpu_flags": ("avx2", "avx", "avx512_bf16"), "n_visible": 4, "n_effective": 4}
    return Facts(host=HostFacts(**known | (host or {})), backends=backends, **fields)


def found(facts):
    return {finding.id: finding for finding in rules.diagnose(facts)}


def problems(facts):
    return {finding.id: finding for finding in rules.diagnose(facts) if finding.severity == "problem"}


def test_a_quiet_machine_without_a_gpu_has_no_problem():
    facts = make_facts(*(make_backend(name) for name in BACKENDS), host={"load_1min": 0.1, "n_physical": 4})

    assert {"ok"} == {finding.severity for finding in rules.diagnose(facts)}
    assert "nothing to fix" in found(facts)["no-gpu"].means


def test_a_gpu_that_all_backends_use_has_no_problem():
    facts = make_facts(*(working(name) for name in BACKENDS), host=GPU_HOST)

    assert {} == problems(facts)
    assert "Keras puts arrays on the GPU without any code" == found(facts)["jax-gpu"].means


def test_without_any_backend_the_doctor_still_answers():
    facts = make_facts(*(BackendFacts(name=name) for name in BACKENDS))

    assert {"no-backend"} == set(problems(facts))
    assert "pip install jax" == found(facts)["jax-absent"].fix


@pytest.mark.parametrize(
    ("backend", "host", "packages", "id_", "words"),
    [
        (make_backend("torch", version="2.13.0+cpu"), {}, {}, "torch-cpu-wheel", "pytorch.org"),
        (make_backend("tensorflow", cuda=""), {}, {"tensorflow-cpu": "2.21.0"}, "tensorflow-cpu-wheel", "and-cuda"),
        (make_backend("tensorflow", cuda="12.5.1"), {}, {}, "tensorflow-and-cuda", "tensorflow[and-cuda]"),
        (make_backend("jax"), {}, {"jaxlib": "0.10.2"}, "jax-plugin", "jax[cuda13]"),
        (make_backend("jax"), {"driver_cuda": "12.4"}, {}, "jax-plugin", "jax[cuda12]"),
        (make_backend("jax"), {"system": "Windows"}, {}, "jax-windows", "WSL2"),
        (make_backend("tensorflow"), {"system": "Windows"}, {}, "tensorflow-windows", "$env:KERAS_BACKEND='torch'"),
        (make_backend("torch", cuda="13.0"), {"driver_cuda": "12.4"}, {}, "torch-driver", "580.65"),
        (make_backend("tensorflow", cuda="12.5.1"), {"driver_cuda": "11.4"}, {}, "tensorflow-driver", "525.60"),
        (make_backend("jax"), {"driver_cuda": "12.4"}, {"jax-cuda13-plugin": "0.10.2"}, "jax-driver", "580.65"),
        (make_backend("torch", cuda="12.6"), {}, {}, "torch-unseen", "ask with the facts below"),
    ],
)
def test_why_a_backend_does_not_see_the_gpu(backend, host, packages, id_, words):
    facts = make_facts(backend, host=GPU_HOST | host, packages=packages)

    assert [id_] == [name for name in problems(facts) if name.startswith(backend.name)]
    assert words in problems(facts)[id_].fix


def test_an_unexplained_case_shows_the_backends_own_words():
    backend = make_backend("tensorflow", cuda="12.5.1", log="the moon is in the wrong house")
    facts = make_facts(backend, host=GPU_HOST, packages={"nvidia-cudnn-cu12": "9.3"})

    finding = problems(facts)["tensorflow-unseen"]

    assert '"the moon is in the wrong house"' in finding.seen
    assert "we do not know" in finding.means
    assert "github.com/tensorflow" in finding.fix
    assert "says: the moon" in finding.paste


def test_tensorflow_on_windows_without_a_gpu_is_a_note():
    facts = make_facts(make_backend("tensorflow"), host={"system": "Windows"}, packages={"tensorflow": "2.21.0"})

    assert "note" == found(facts)["tensorflow-windows"].severity


def test_the_last_tensorflow_with_a_gpu_on_windows_is_left_alone():
    old = make_backend("tensorflow", version="2.10.1", cuda="11.2")
    facts = make_facts(old, host=GPU_HOST | {"system": "Windows"}, packages={"tensorflow": "2.10.1"})

    assert "tensorflow-windows" not in found(facts)


@pytest.mark.parametrize("value", ["", "-1", " "])
def test_an_empty_variable_hides_the_gpu_and_is_the_only_reason_given(value):
    backends = [make_backend(name, cuda=CUDA[name]) for name in BACKENDS]
    facts = make_facts(*backends, host=GPU_HOST, variables={"CUDA_VISIBLE_DEVICES": value})

    assert {"cuda-visible-devices"} == set(problems(facts))
    assert "unset CUDA_VISIBLE_DEVICES" == problems(facts)["cuda-visible-devices"].fix


def test_a_hiding_variable_without_a_gpu_is_a_note():
    facts = make_facts(variables={"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu"})

    assert {} == problems(facts)
    assert {"cuda-visible-devices", "jax-platforms", "keras-torch-device"} <= set(found(facts))


@pytest.mark.parametrize(
    ("variables", "ids"),
    [
        ({"CUDA_VISIBLE_DEVICES": "3"}, {"cuda-visible-devices"}),
        ({"CUDA_VISIBLE_DEVICES": "0"}, set()),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932f937"}, set()),
        ({"JAX_PLATFORMS": "cpu"}, {"jax-platforms"}),
        ({"JAX_PLATFORMS": "cuda,cpu"}, set()),
        ({"KERAS_TORCH_DEVICE": "cpu"}, {"keras-torch-device"}),
    ],
)
def test_variables_that_hide_a_gpu(variables, ids):
    assert ids == set(problems(make_facts(host=GPU_HOST, variables=variables)))


@pytest.mark.parametrize(
    ("architectures", "capability", "id_", "severity"),
    [
        (("sm_80", "sm_90"), "9.0", None, None),
        (("sm_80",), "8.6", None, None),
        (("sm_80", "sm_90", "compute_90"), "12.0", "torch-compiles-first", "note"),
        (("sm_80", "sm_90"), "12.0", "torch-architecture", "problem"),
        (("sm_75", "sm_80"), "6.1", "torch-architecture", "problem"),
        ((), "12.0", None, None),
    ],
)
def test_a_card_that_a_wheel_has_no_code_for(architectures, capability, id_, severity):
    gpu = GpuFacts(name="Some card", memory_bytes=10**10, compute_capability=capability)
    backend = make_backend("torch", gpus=("Some card",), keras_placed="gpu", architectures=architectures, cuda="13.0")
    results = found(make_facts(backend, host=GPU_HOST | {"gpus": (gpu,)}))

    named = {name: f.severity for name, f in results.items() if name.endswith(("architecture", "compiles-first"))}
    assert ({} if id_ is None else {id_: severity}) == named


@pytest.mark.parametrize(
    ("packages", "id_"),
    [
        ({"tensorflow-gpu": "2.12.0"}, "tensorflow-gpu-package"),
        ({"tensorflow": "2.21.0", "tensorflow-cpu": "2.20.0"}, "tensorflow-twice"),
        ({"jax-cuda12-plugin": "0.10.1", "jaxlib": "0.10.2"}, "jax-plugin-version"),
        ({"jax-cuda12-plugin": "0.10.2", "jaxlib": "0.10.2", "tensorflow": "2.21.0"}, None),
    ],
)
def test_packages_that_do_not_belong_together(packages, id_):
    assert ({id_} if id_ else set()) == set(problems(make_facts(packages=packages)))


def test_an_nvidia_card_without_a_driver_and_a_container_without_the_card():
    bare = problems(make_facts(host={"pci_gpus": ("0x10de",)}))["nvidia-driver"]
    inside = problems(make_facts(host={"pci_gpus": ("0x10de",), "container": "docker"}))["nvidia-outside"]

    assert "nvidia-smi" in bare.fix
    assert "--gpus all" in inside.fix


def test_apple_silicon_without_metal():
    host = {"system": "Darwin", "architecture": "arm64", "cpu_flags": ("asimd",)}
    bare = found(make_facts(make_backend("tensorflow"), host=host))
    with_plugin = found(make_facts(make_backend("tensorflow"), host=host, packages={"tensorflow-metal": "1.2.0"}))

    assert "KERAS_BACKEND=torch" in bare["tensorflow-metal"].fix
    assert "1.2.0" in with_plugin["tensorflow-metal"].seen
    assert "pip uninstall -y tensorflow-metal" in with_plugin["tensorflow-metal"].fix
    assert "no-gpu" not in bare


@pytest.mark.parametrize(
    ("has_kfd", "rocm", "id_"), [(False, "", "rocm-driver"), (True, "", "torch-rocm"), (True, "6.4", "torch-rocm")]
)
def test_an_amd_card_that_is_silently_not_used(has_kfd, rocm, id_):
    host = {"pci_gpus": ("0x1002",), "has_kfd": has_kfd}

    finding = found(make_facts(make_backend("torch", rocm=rocm), host=host))[id_]

    assert ("render" in finding.fix) == bool(rocm)


@pytest.mark.parametrize(
    ("host", "variables", "id_", "severity"),
    [
        ({}, {"OMP_NUM_THREADS": "64"}, "omp-num-threads", "problem"),
        ({}, {"OMP_NUM_THREADS": "1"}, "omp-num-threads", "note"),
        ({}, {"OMP_NUM_THREADS": "4"}, None, None),
        ({"quota_cores": 2.0, "n_effective": 2, "n_visible": 64}, {"OMP_NUM_THREADS": "2"}, "cores", "note"),
        ({"n_throttled": 812}, {}, "quota-throttling", "note"),
        ({"n_physical": 2}, {}, "smt", "note"),
        ({"n_affinity": 2, "n_effective": 2}, {}, "cores", "note"),
        ({"load_1min": 2.0}, {}, "load", "note"),
        ({"load_1min": 5.0}, {}, "load", "problem"),
        ({"cpu_flags": ("sse4_2", "bf16")}, {}, "no-avx", "problem"),
        ({"cpu_flags": ("avx", "bf16")}, {}, "no-avx2", "note"),
        ({"cpu_flags": ("avx", "avx2", "avx512f")}, {}, "no-bf16", "note"),
        ({"cpu_flags": ("asimd", "bf16"), "architecture": "aarch64"}, {}, None, None),
        ({"cpu_flags": ()}, {}, "instructions", "note"),
        ({"free_bytes": 10**9}, {}, "memory", "note"),
        ({"memory_bytes": 64 * 10**9, "memory_limit_bytes": 4 * 10**9}, {}, "memory-limit", "note"),
        ({"shm_bytes": 64 * 2**20, "container": "docker"}, {}, "shared-memory", "note"),
        ({"on_battery": True}, {}, "battery", "note"),
        ({"power_profile": "powersave"}, {}, "power-profile", "note"),
        ({}, {"TF_ENABLE_ONEDNN_OPTS": "0"}, "tf-enable-onednn-opts", "note"),
        ({}, {"KMP_DUPLICATE_LIB_OK": "TRUE"}, "kmp-duplicate-lib-ok", "note"),
        ({}, {"HSA_OVERRIDE_GFX_VERSION": "11.0.0"}, "hsa-override-gfx-version", "note"),
    ],
)
def test_what_the_host_does_to_a_measurement(host, variables, id_, severity):
    results = rules.diagnose(make_facts(host=host, variables=variables))

    assert ({} if id_ is None else {id_: severity}) == {f.id: f.severity for f in results if f.severity != "ok"}


def test_a_cpu_limit_without_a_thread_variable_is_a_problem():
    """The pools are sized to the 64 visible cores and then stopped by the limit of two."""
    finding = problems(make_facts(host={"quota_cores": 2.0, "n_effective": 2, "n_visible": 64}))["threads-over-quota"]

    assert "OMP_NUM_THREADS=2" in finding.fix
    assert "taskset -c 0-1" in finding.fix


@pytest.mark.parametrize(
    ("changes", "id_", "severity"),
    [
        ({"n_processes": 2}, "gpu-shared", "note"),
        ({"free_bytes": 10**9}, "gpu-memory", "problem"),
        ({"throttle": "hardware thermal slowdown"}, "gpu-throttled", "note"),
    ],
)
def test_what_others_do_to_the_gpu(changes, id_, severity):
    gpu = GpuFacts(**{name: getattr(H200, name) for name in H200.__struct_fields__} | changes)
    results = rules.diagnose(make_facts(host=GPU_HOST | {"gpus": (gpu,)}))

    assert {id_: severity} == {f.id: f.severity for f in results if f.severity != "ok"}


def test_two_openmp_runtimes_are_noted_and_two_copies_of_one_are_not():
    two = found(make_facts(make_backend("torch", openmp=("libgomp", "libiomp5"))))
    same = found(make_facts(make_backend("torch", openmp=("libgomp", "libgomp"))))

    assert "libgomp, libiomp5" in two["torch-openmp"].seen
    assert "torch-openmp" not in same


@pytest.mark.parametrize(
    ("error", "id_"),
    [
        ("no answer within the time limit of 120 s", "jax-hangs"),
        ("ended by signal 4 (SIGILL)", "jax-illegal-instruction"),
        ("ImportError: libcudnn.so.9: cannot open shared object file", "jax-libraries"),
        ("ImportError: DLL load failed while importing", "jax-dll"),
        ("AttributeError: module 'numpy' has no attribute 'bool8'", "jax-numpy-too-new"),
        ("ended with exit code 3 and said nothing", "jax-broken"),
    ],
)
def test_a_broken_backend_is_a_problem_with_a_fix(error, id_):
    finding = problems(make_facts(make_backend("jax", error=error)))[id_]

    assert error in finding.seen
    assert finding.fix


def test_keras_that_would_use_an_absent_backend():
    facts = make_facts(BackendFacts(name="tensorflow"), make_backend("torch"), keras_backend="tensorflow")

    assert "export KERAS_BACKEND=torch" == problems(facts)["keras-backend"].fix
    assert "keras-backend" in problems(make_facts(make_backend("torch"), keras_backend="mxnet"))


def test_every_problem_has_a_fix_and_problems_come_first():
    facts = make_facts(
        make_backend("torch"),
        make_backend("jax", error="ImportError: no"),
        host=GPU_HOST | {"load_1min": 99.0, "n_physical": 8},
        variables={"OMP_NUM_THREADS": "999"},
        packages={"tensorflow-gpu": "2.12.0"},
    )

    findings = rules.diagnose(facts)

    order = [doctor_facts.SEVERITIES.index(finding.severity) for finding in findings]
    assert order == sorted(order)
    assert rules.has_problem(findings)
    assert all(finding.fix for finding in findings if finding.severity == "problem")
    assert "5 problems, 1 note" in rules.as_text(findings)


def test_what_is_well_takes_one_line_unless_all_is_asked_for():
    findings = rules.diagnose(make_facts(make_backend("torch"), host=GPU_HOST))
    well = [finding for finding in findings if finding.severity == "ok"]

    short, whole = (rules.as_text(findings, show_all=show_all) for show_all in (False, True))

    assert 3 < len(well) == whole.count("\nok  ") + whole.startswith("ok  ")
    assert f"ok       {len(well)} things, which --all explains: {well[0].seen}; {well[1].seen};" in short
    for finding in well:
        assert finding.seen in short and finding.means in whole
        assert finding.means not in short


def test_words_of_a_backend_are_never_folded():
    quiet = make_backend("tensorflow", gpus=(), log="failed call to cuInit: UNKNOWN ERROR (303)")

    text = rules.as_text(rules.diagnose(make_facts(quiet)))

    assert 'ok       TensorFlow 2.21.0 sees no GPU; it says: "failed call to cuInit: UNKNOWN ERROR (303)"\n' in text
    assert "which --all explains: no GPU that" in text


def test_facts_and_findings_are_json():
    facts = make_facts(make_backend("torch"), host=GPU_HOST)

    assert "NVIDIA H200" == json.loads(encode(facts))["host"]["gpus"][0]["name"]


def test_each_backend_has_its_rules_and_its_probe():
    assert set(BACKENDS) == set(doctor_backends.UNSEEN) == set(doctor_facts.NAMES) == set(probe.PROBES)


# Collecting.


class FakeDriver(FakeNvml):
    """The invented NVML of test_machine, with what the doctor asks beside."""

    def nvmlSystemGetCudaDriverVersion(self):
        return 12080

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        if handle == 1:
            raise FakeNvmlError
        return [SimpleNamespace(pid=1), SimpleNamespace(pid=2)]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):
        return (0x1, 0x40)[handle]


def test_what_the_driver_tells_becomes_facts():
    nvml = Nvml(FakeDriver())

    assert ("580.159.03", "12.8") == (nvml.driver(), nvml.driver_cuda())
    first, second = doctor_host.gpu_facts(nvml)
    assert ("NVIDIA H200", 2, None) == (first.name, first.n_processes, first.throttle)
    assert (None, "hardware thermal slowdown") == (second.n_processes, second.throttle)


def test_graphics_cards_on_the_bus(tmp_path):
    for name, kind, vendor in (("a", "0x030000", "0x1002"), ("b", "0x030200", "0x10de"), ("c", "0x020000", "0x8086")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "class").write_text(f"{kind}\n")
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
    (tmp_path / "d").mkdir()

    (tmp_path / "b" / "driver").symlink_to("/sys/bus/pci/drivers/nouveau")

    assert (("0x1002", ""), ("0x10de", "nouveau")) == doctor_host.pci_cards(tmp_path)


def test_openmp_libraries_are_counted_by_file(tmp_path):
    maps = tmp_path / "maps"
    maps.write_text(
        "7f00-7f01 r-xp 0000 08:01 1 /x/lib/libgomp.so.1.0.0\n"
        "7f02-7f03 r--p 0000 08:01 1 /x/lib/libgomp.so.1.0.0\n"
        "7f04-7f05 r-xp 0000 08:01 2 /x/torch/lib/libgomp-a34b3233.so.1\n"
        "7f06-7f07 r-xp 0000 08:01 3 /x/lib/libiomp5.so\n"
        "7f08-7f09 r-xp 0000 08:01 4 /x/lib/libomptarget_no.txt\n"
    )

    assert ["libgomp", "libgomp", "libiomp5"] == software.openmp_runtimes(maps)
    assert [] == software.openmp_runtimes(tmp_path / "absent")


def test_variables_with_paths_are_only_said_to_be_set(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/cuda/lib64")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    seen = vitals.variables()

    assert ("(set)", "3") == (seen["LD_LIBRARY_PATH"], seen["OMP_NUM_THREADS"])


def test_the_backend_that_keras_would_use(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert "tensorflow" == vitals.keras_backend()

    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    assert "jax" == vitals.keras_backend()

    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert "torch" == vitals.keras_backend()


def test_containers_are_recognised(tmp_path, monkeypatch):
    for name in ("KUBERNETES_SERVICE_HOST", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "container"):
        monkeypatch.delenv(name, raising=False)
    assert "" == doctor_host.container(tmp_path)

    (tmp_path / ".dockerenv").touch()
    assert "docker" == doctor_host.container(tmp_path)


def ask(program, monkeypatch, **options):
    monkeypatch.setattr(software, "backend_version", lambda _: "1.0")
    return vitals.ask("jax", command=(sys.executable, "-c", program), **options)


def test_what_a_probe_prints_becomes_facts(monkeypatch):
    answer = {"version": "0.9", "gpus": ["NVIDIA H200"], "cuda": None, "keras": "3.1", "keras_placed": "gpu"}
    program = f"import json; print('chatter'); print(json.dumps({answer!r}))"

    seen = ask(program, monkeypatch)

    assert ("0.9", ("NVIDIA H200",), "", "gpu", "") == (
        seen.version,
        seen.gpus,
        seen.cuda,
        seen.keras_placed,
        seen.error,
    )


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise ImportError('libcudnn.so.9: cannot open shared object file')", "ImportError: libcudnn.so.9"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "signal 4"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("print('not json')", "exit code 0"),
    ],
)
def test_a_probe_that_breaks_does_not_break_the_doctor(program, words, monkeypatch):
    assert words in ask(program, monkeypatch).error


@pytest.mark.slow
def test_a_probe_that_hangs_is_ended_with_its_children(tmp_path, monkeypatch):
    """The child of the probe would write a file after the limit; it must be gone by then."""
    late = tmp_path / "late"
    child = f"import time; time.sleep(2); open({str(late)!r}, 'w')"
    program = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"

    seen = ask(program, monkeypatch, limit_s=0.8)
    time.sleep(2.5)

    assert "time limit of 0.8 s" in seen.error
    assert not late.exists()


@pytest.mark.parametrize("folder", ["/opt/venv/lib/", r"C:\\some\\folder\\"])
def test_an_error_names_no_folder_of_this_machine(folder, monkeypatch):
    seen = ask(f"raise ImportError('{folder}libfoo.so: undefined symbol')", monkeypatch)

    assert "ImportError: libfoo.so: undefined symbol" == seen.error


def test_what_keras_says_names_no_folder_either(monkeypatch):
    answer = {"keras_error": "OSError: /opt/venv/lib/libfoo.so is damaged"}

    seen = ask(f"import json; print(json.dumps({answer!r}))", monkeypatch)

    assert "OSError: libfoo.so is damaged" == seen.keras_error


def test_an_absent_backend_starts_no_process(monkeypatch):
    monkeypatch.setattr(software, "backend_version", lambda _: None)

    assert BackendFacts(name="jax") == vitals.ask("jax", command=("no-such-program",))


def test_this_host_can_be_described():
    host = doctor_host.host()

    assert host.n_effective >= 1
    assert host.system
    assert encode(Facts(host=host, packages=vitals.packages()))


@pytest.mark.keras
@pytest.mark.parametrize("backend", BACKENDS)
def test_real_backends_answer(backend):
    seen = vitals.ask(backend)

    if not seen.installed:
        pytest.skip(f"{backend} is not installed")
    assert "" == seen.error
    assert seen.placed in ("cpu", "gpu")
    assert seen.keras_placed in ("cpu", "gpu")
