"""Reading this process and this host: counters that wrap, drivers that refuse, words for bits."""

import os
import sys
from time import sleep

import pytest

from bench.machine import cores, meters, nvml
from tests.gpu_stubs import UUID, FakeNvml

THROTTLED = 0x1 | 0x4 | 0x20


@pytest.fixture
def driver(monkeypatch):
    """A fake driver in the place of pynvml."""

    def install(*gpus, **options):
        fake = FakeNvml(*gpus, **options)
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        return fake

    return install


def test_a_reading_is_in_base_units_and_counts_other_processes(monkeypatch):
    fake = FakeNvml()
    fake.pids = [os.getpid(), 1]
    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetCurrentClocksThrottleReasons", lambda *_: THROTTLED)
    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetTotalEnergyConsumption", lambda *_: 12_345)

    assert nvml.GpuReading(
        clock_hz=1.98e9,
        temperature_c=41.0,
        throttle="software power cap, software thermal slowdown",
        n_processes=1,
        energy_j=12.345,
        power_w=120.0,
        utilisation_frac=0.93,
    ) == nvml.Nvml(fake).read(0)


@pytest.mark.parametrize("how", ["refused", "absent"])
def test_what_the_driver_refuses_or_the_bindings_lack_is_none_and_the_rest_is_kept(how):
    calls = ("nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetComputeRunningProcesses")
    reading = nvml.Nvml(FakeNvml(**{how: calls})).read(0)

    assert reading.energy_j is None
    assert reading.n_processes is None
    assert 120.0 == reading.power_w


@pytest.mark.parametrize(("pids", "expected"), [([7], 0), ([7, 8], 1), ([4242], 0), ([4242, 4243], 1), ([], 0)])
def test_a_container_that_numbers_processes_otherwise_is_no_other_process(pids, expected):
    assert expected == nvml.n_others(pids, own=7)


@pytest.mark.parametrize(("visible", "expected"), [("1", "B"), (UUID, "B"), ("0,1", "A"), ("", "A")])
def test_the_meter_reads_the_gpu_that_the_process_sees(monkeypatch, driver, visible, expected):
    fake = driver("A", "B")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    with nvml.gpu_meter("gpu") as meter:
        assert expected == fake.gpus[meter.handle]


@pytest.mark.parametrize("visible", ["5", "GPU-nobody", "MIG-2f0bdb4f"])
def test_a_gpu_that_nvml_does_not_know_is_not_read_as_another(monkeypatch, driver, visible):
    driver("A", "B")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    with nvml.gpu_meter("gpu") as meter:
        assert nvml.NO_GPU == meter()
        assert meter.utilisation() is None


def metered(nvml_, seconds_of, monkeypatch, n_windows=1):
    """A steady meter of a GPU after windows of that many seconds each, by a clock that stands still."""
    times = iter([t for i in range(n_windows) for t in (10.0 * i, 10.0 * i + seconds_of)])
    monkeypatch.setattr(meters, "perf_counter", lambda: next(times))
    meter = meters.SteadyMeter(nvml.GpuMeter(nvml.Nvml(nvml_), 0), "gpu")
    for _ in range(n_windows):
        meter.start()
        nvml_.energy_mj += 144_658
        nvml_.calls.append("inside")
        meter.stop()
    return meter


@pytest.mark.parametrize(("seconds", "n_windows", "joules"), [(3.0, 1, 144.658), (1.0, 1, None), (1.0, 2, 289.316)])
def test_energy_of_a_time_shorter_than_the_counters_steps_is_not_told(driver, monkeypatch, seconds, n_windows, joules):
    fake = driver()
    fake.start = float("inf")  # no energy but what the test adds
    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetTotalEnergyConsumption", lambda self, _: self.energy_mj)

    meter = metered(fake, seconds, monkeypatch, n_windows)

    assert joules == meter.joules
    assert joules is not None or "too short" in meter.why_no_joules


def test_a_counter_that_is_refused_at_the_end_loses_the_energy_and_nothing_else(driver, monkeypatch):
    fake = driver()
    meter = meters.SteadyMeter(nvml.GpuMeter(nvml.Nvml(fake), 0), "gpu")
    meter.start()
    fake.refused = ("*",)
    meter.stop()

    assert meter.joules is None
    assert "no readable energy counter" in meter.why_no_joules


def test_utilisation_is_sampled_while_steady_and_asks_nothing_else(driver, monkeypatch):
    fake = driver()
    monkeypatch.setattr(meters, "SAMPLE_EVERY_S", 0.001)
    meter = meters.SteadyMeter(nvml.GpuMeter(nvml.Nvml(fake), 0), "gpu")
    before = len(fake.calls)
    meter.start()
    started = len(fake.calls)
    while fake.calls.count("nvmlDeviceGetUtilizationRates") < 3 * meters.MOST_SAMPLES:
        sleep(0.001)
    meter_calls = fake.calls[started:]
    meter.stop()

    assert before == 0
    assert {"nvmlDeviceGetUtilizationRates"} == set(meter_calls)
    assert {0.93} == set(meter.utilisation)
    assert meters.MOST_SAMPLES / 2 < len(meter.utilisation) <= meters.MOST_SAMPLES


def test_a_counter_of_the_processor_that_stands_still_tells_nothing(monkeypatch):
    monkeypatch.setattr(meters, "read_rapl", lambda: {"intel-rapl:0": (5, 100)})
    meter = meters.SteadyMeter(nvml.GpuMeter(None, 0), "cpu")
    meter.start()
    meter.stop()

    assert meter.joules is None and "no readable energy counter" in meter.why_no_joules


def test_a_cpu_run_asks_no_gpu():
    with nvml.gpu_meter("cpu") as read:
        assert nvml.NO_GPU == read()


def rapl(tmp_path, microjoules):
    for index, value in enumerate(microjoules):
        folder = tmp_path / f"intel-rapl:{index}"
        folder.mkdir(exist_ok=True)
        (folder / "name").write_text(f"package-{index}\n")
        (folder / "energy_uj").write_text(str(value))
        (folder / "max_energy_range_uj").write_text("1000000")
    return meters.read_rapl(tmp_path)


def test_rapl_sums_packages_and_mends_one_wrap(tmp_path):
    start = rapl(tmp_path, [100_000, 900_000])
    end = rapl(tmp_path, [350_000, 50_000])

    assert pytest.approx(0.25 + 0.15) == meters.rapl_joules(start, end)


def test_rapl_counts_packages_only(tmp_path):
    rapl(tmp_path, [1])
    (tmp_path / "intel-rapl:0" / "name").write_text("dram\n")

    assert meters.read_rapl(tmp_path) is None


def test_no_counter_is_none_and_not_zero(tmp_path):
    assert meters.read_rapl(tmp_path) is None


def test_throttled_periods_are_read_from_the_cgroup(tmp_path):
    (tmp_path / "cpu.stat").write_text("usage_usec 1\nnr_periods 10\nnr_throttled 7\n")

    assert 7 == cores.throttled_periods(tmp_path, tmp_path / "absent")
    assert cores.throttled_periods(tmp_path / "absent", tmp_path / "absent") is None


def test_the_peak_of_this_process_is_plausible():
    peak = meters.peak_host_bytes()

    assert 10 * 2**20 < peak < 2**40
