"""The child on a GPU: refused at once where there is none, metered while steady, precise as asked. No framework."""

import os
import subprocess
import sys
from types import SimpleNamespace

import msgspec
import pytest

from bench.doctor import probe
from bench.machine import cpu, meters, nvml, software
from bench.measure import control as measure_control
from bench.measure import study as measure_study
from bench.measure.backend import Jax, NotAsAskedError, Torch
from bench.records import plausible
from bench.records.codec import encode
from bench.report.evidence import disturbed
from bench.schema import Block, Control, Request, Run
from bench.session import launch
from tests.factories import make_cell, make_machine, make_record, make_run
from tests.gpu_stubs import FakeNvml

ON_CPU = SimpleNamespace(device=SimpleNamespace(type="cpu"))
ON_GPU = SimpleNamespace(device=SimpleNamespace(type="cuda"))


def torch_module(cuda, init=lambda: None):
    return SimpleNamespace(version=SimpleNamespace(cuda=cuda, hip=None), cuda=SimpleNamespace(init=init))


def no_driver():
    raise RuntimeError("Found no NVIDIA driver\non your system.")


@pytest.mark.parametrize(
    ("framework", "why"),
    [
        (torch_module(None), "this build of PyTorch is for CPUs only"),
        (torch_module("13.0", no_driver), "Found no NVIDIA driver on your system."),
    ],
)
def test_a_backend_that_fell_back_to_the_cpu_is_refused_with_its_own_reason(framework, why):
    cell, backend = make_cell(backend="torch", device="gpu"), Torch(framework)

    backend.check_device(cell, ON_GPU)
    with pytest.raises(NotAsAskedError, match="asked for gpu, torch computes on the cpu: " + why):
        backend.check_device(cell, ON_CPU)


@pytest.mark.keras
def test_a_fall_back_is_found_before_any_data_is_loaded(tmp_path):
    """On a machine without a GPU every framework falls back; the run ends where it used to begin."""
    cell = make_cell("cnn-digits", backend="tensorflow", device="gpu", jit="on", batch_size=1, n_samples=1)
    variant = {"batch_size": 1, "n_samples": 1}  # no workload has it: load_data would refuse it with another message
    request = msgspec.convert(
        {"cell": msgspec.to_builtins(cell), "variant": variant, "target": None, "kind": "model", "index": 0}
        | {"order": 0, "seed": 0},
        Request,
    )
    (tmp_path / "request").write_bytes(encode(request))
    env = os.environ | {"CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "bench.measure", str(tmp_path / "request"), str(tmp_path / "run")]
    subprocess.run(command, env=env, cwd=launch.REPOSITORY, check=True, capture_output=True)

    run = msgspec.json.decode((tmp_path / "run").read_bytes(), type=Run)
    assert "failed" == run.status
    assert "asked for gpu, tensorflow computes on the cpu: it lists no GPU" in run.reason


class Idle(Torch):
    """A backend whose device is never busy."""

    def wait(self, value=None):
        pass


class Products:
    """keras.ops whose products take the seconds given, in turn, by a clock of their own; then always the last."""

    def __init__(self, *seconds):
        self.seconds, self.now, self.n, self.sides = list(seconds), 0.0, 0, set()

    def full(self, shape, value, dtype):
        self.sides.add(shape)

    def matmul(self, a, b):
        self.n += 1
        self.now += self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]


@pytest.mark.parametrize(("device", "side"), [("cpu", 1024), ("gpu", 4096)])
def test_the_control_kernel_of_a_gpu_is_large_and_timed_once_its_clock_is_up(monkeypatch, device, side):
    """An idle GPU's clock takes a while: products that would look three times as slow are not counted."""
    slow = [0.06] * 8
    products = Products(*slow, 0.01)
    monkeypatch.setattr(measure_control, "perf_counter", lambda: products.now)

    control = measure_control.time_control(SimpleNamespace(ops=products), Idle(None), make_cell(device=device))

    assert {(side, side)} == products.sides
    assert side == control.n
    assert (device == "gpu") == (set(control.seconds) == {0.01})


def test_the_idle_power_of_a_gpu_is_never_the_cpus(monkeypatch):
    monkeypatch.setattr(measure_control, "sleep", lambda _: None)
    counter = iter((1_000_000, 9_000_000, 9_000_000, 9_000_000))
    monkeypatch.setattr(meters, "read_rapl", lambda: {"package": (next(counter), 10**9)})

    assert measure_control.idle_power(nvml.GpuMeter(), "gpu") is None
    assert 120.0 == measure_control.idle_power(nvml.GpuMeter(nvml.Nvml(FakeNvml()), 0), "gpu")
    assert 8.0 == measure_control.idle_power(nvml.GpuMeter(), "cpu")
    assert measure_control.idle_power(nvml.GpuMeter(), "cpu") is None  # a counter that stands still


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        ("gpu", "float32-strict", "highest"),
        ("gpu", "tf32", "tensorfloat32"),
        ("gpu", "mixed_bfloat16", "highest"),  # left alone, what stays float32 would be TF32
        ("cpu", "mixed_bfloat16", None),
    ],
)
def test_jax_computes_float32_as_the_record_says(device, precision, expected):
    asked = {}
    framework = SimpleNamespace(config=SimpleNamespace(update=asked.__setitem__), random=None)
    keras = SimpleNamespace(
        backend=SimpleNamespace(backend=lambda: "jax"),
        config=SimpleNamespace(
            **dict.fromkeys(("set_floatx", "set_epsilon", "set_image_data_format", "set_dtype_policy"), lambda *_: None)
        ),
    )
    cell = make_cell(backend="jax", device=device, precision=precision, jit="on")

    Jax(framework).configure(keras, SimpleNamespace(cell=cell, seed=0, index=0))

    assert expected == asked["jax_default_matmul_precision"]


def jax_with(peak):
    device = SimpleNamespace(memory_stats=lambda: {"peak_bytes_in_use": peak})
    return SimpleNamespace(devices=lambda: [device])


def test_a_peak_that_is_only_the_control_kernels_is_not_the_models():
    held = Jax(jax_with(10**8)).forget_peak()

    assert (2 * 10**8, "the backend does not tell") == Jax(jax_with(2 * 10**8)).peak_device_bytes(held)
    peak, why = Jax(jax_with(10**8)).peak_device_bytes(held)
    assert peak is None
    assert "control kernel" in why


def test_a_study_is_metered_while_its_series_take_turns(monkeypatch):
    """And not before, while it compiles."""
    events = []

    class Meter:
        def __init__(self, gpu, device):
            pass

        start = staticmethod(lambda: events.append("start"))
        stop = staticmethod(lambda: events.append("stop"))

    module = SimpleNamespace(
        measure=lambda study: (
            events.append("compiles"),
            study.take({"predict": lambda: events.append("block") or Block(n_steps=1, seconds=0.5)}),
        )
    )
    monkeypatch.setattr(measure_study.registry, "module", lambda _: module)
    cell = make_cell("call-styles", mode="study", device="gpu")
    variant = SimpleNamespace(n_blocks=3, steady_limit_s=1.0)
    request = SimpleNamespace(cell=cell, variant=variant, seed=0, index=0)

    measure_study.measure_study(None, Torch(None), request, {}, Meter(None, "gpu"))

    assert "compiles" == events[0]
    assert ["start", *["block"] * 3, "stop"] == events[events.index("start") :]


# What is made of a GPU's readings.


def gpu_run(**fields):
    return make_run(0, cell=make_cell(device="gpu"), **fields)


def test_a_power_limit_that_is_reached_is_no_disturbance(monkeypatch):
    def conditions(throttle):
        return meters.conditions(nvml.NO_GPU._replace(throttle=throttle))

    usual, hot = (gpu_run(after=conditions(text)) for text in ("software power cap", "hardware thermal slowdown"))

    assert "gpu throttled" not in disturbed.run_flags(usual)
    assert "gpu throttled" in disturbed.run_flags(hot)


def test_an_ordinary_gpu_run_is_not_flagged():
    """Idle before the control kernel, at its limit after the run: what every cell of a GPU looks like."""
    before = meters.conditions(nvml.NO_GPU._replace(clock_hz=1.98e9, throttle="", n_processes=0))
    after = meters.conditions(nvml.NO_GPU._replace(clock_hz=1.98e9, throttle="software power cap", n_processes=0))
    control = Control(n=4096, seconds=(0.0025,) * 5)

    assert {} == disturbed.run_flags(gpu_run(before=before, after=after, control_before=control, control_after=control))


def test_a_call_of_predict_with_two_steps_is_no_forward_pass_on_a_gpu():
    def record(mode, seconds, n_samples):
        return make_record(
            "resnet50", mode=mode, device="gpu", batch_size=8, n_samples=n_samples, step_s=seconds, jitter_frac=0.0
        )

    def problems(n_samples):
        records = {r.cell.id: r for r in (record("train", 0.004, n_samples), record("infer", 0.04, n_samples))}
        steps = plausible.seconds_per_step(records)
        return list(plausible.training_shorter_than_its_forward_pass(records, steps))

    assert [] == problems(16)
    assert problems(8 * plausible.FEW_STEPS)


# The machine under it.


def test_gpus_are_told_as_far_as_the_driver_tells():
    refused = ("nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo", "nvmlSystemGetDriverVersion")

    gpu = nvml.Nvml(FakeNvml(refused=refused, absent=("nvmlDeviceGetCudaComputeCapability",))).describe(0)

    assert ("NVIDIA GPU", None, "unknown", None) == (gpu.name, gpu.memory_bytes, gpu.driver, gpu.compute_capability)
    assert [] == nvml.Nvml(FakeNvml(refused=("*",))).handles()


def test_a_peak_above_an_unknown_memory_is_no_contradiction():
    gpu = nvml.Nvml(FakeNvml(refused=("nvmlDeviceGetMemoryInfo",))).describe(0)
    record = make_record(device="gpu", runs=(gpu_run(peak_device_bytes=2**34),))

    assert [] == list(plausible.more_memory_than_the_machine(record, make_machine(gpus=(gpu,))))


def test_memory_that_grows_while_it_is_used_can_be_told(monkeypatch):
    monkeypatch.setenv("BENCH_MEMORY_BYTES", str(2**60))
    assert 2**60 == cpu.memory_bytes()

    monkeypatch.setenv("BENCH_MEMORY_BYTES", "1")
    assert cpu.memory_bytes() > 2**20


@pytest.mark.parametrize(("told", "shown"), [("12", "12"), ("13000", "13.0"), ("12080", "12.8")])
def test_a_plug_ins_cuda_version_is_a_version(told, shown):
    assert shown == probe.cuda_version(told)


def test_a_copy_without_git_names_its_commit_and_whether_its_code_is_that_commits(monkeypatch, tmp_path):
    (tmp_path / "bench" / "report").mkdir(parents=True)
    (tmp_path / "bench" / "clock.py").write_text("x = 1\n")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert (None, None) == software.commit(tmp_path)

    monkeypatch.setenv("BENCH_COMMIT", f"{'a' * 40}-{software.measuring_hash(tmp_path)}")
    assert ("a" * 40, False) == software.commit(tmp_path)
    (tmp_path / "bench" / "report" / "pages.py").write_text("not measuring\n")
    assert ("a" * 40, False) == software.commit(tmp_path)
    (tmp_path / "bench" / "clock.py").write_text("x = 2\n")
    assert ("a" * 40, True) == software.commit(tmp_path)


def test_a_checkouts_commit_is_told_for_a_copy_only_if_its_code_is_committed(monkeypatch):
    monkeypatch.setattr(software, "git", lambda _, command, *__: "b" * 40 if command == "rev-parse" else "")
    assert software.COMMIT_TEXT.fullmatch(software.commit_text(launch.REPOSITORY))

    monkeypatch.setattr(software, "git", lambda _, command, *__: "b" * 40 if command == "rev-parse" else " M bench/x")
    with pytest.raises(ValueError, match="not committed"):
        software.commit_text(launch.REPOSITORY)
