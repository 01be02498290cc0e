"""Reading this process and this host: counters that wrap, drivers that refuse, words for bits."""

from types import SimpleNamespace

import pytest

from bench import meters


class FakeNvmlError(Exception):
    """Stands in for pynvml.NVMLError."""


class FakeNvml:
    """A GPU that tells everything; subclasses refuse parts."""

    NVMLError = FakeNvmlError
    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _):
        return 0x1 | 0x4 | 0x20

    def nvmlDeviceGetClockInfo(self, _, kind):
        return 1980

    def nvmlDeviceGetTemperature(self, _, sensor):
        return 61

    def nvmlDeviceGetTotalEnergyConsumption(self, _):
        return 12_345

    def nvmlDeviceGetPowerUsage(self, _):
        return 350_500

    def nvmlDeviceGetUtilizationRates(self, _):
        return SimpleNamespace(gpu=87, memory=40)

    def nvmlDeviceGetComputeRunningProcesses(self, _):
        return [SimpleNamespace(pid=meters.os.getpid()), SimpleNamespace(pid=1)]


class Refusing(FakeNvml):
    """A driver that knows neither energy nor processes."""

    def nvmlDeviceGetTotalEnergyConsumption(self, _):
        raise FakeNvmlError

    def nvmlDeviceGetComputeRunningProcesses(self, _):
        raise FakeNvmlError


def test_a_reading_is_in_base_units_and_counts_other_processes():
    reading = meters.read_gpu(FakeNvml(), None)

    assert meters.GpuReading(
        clock_hz=1.98e9,
        temperature_c=61.0,
        throttle="software power cap, software thermal slowdown",
        n_processes=1,
        energy_j=12.345,
        power_w=350.5,
        utilisation_frac=0.87,
    ) == reading


def test_what_the_driver_refuses_is_none_and_the_rest_is_kept():
    reading = meters.read_gpu(Refusing(), None)

    assert reading.energy_j is None
    assert reading.n_processes is None
    assert 350.5 == reading.power_w


def test_a_cpu_run_asks_no_gpu():
    with meters.gpu_meter("cpu") as read:
        assert meters.NO_GPU == read()


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

    assert 7 == meters.throttled_periods(tmp_path)
    assert meters.throttled_periods(tmp_path / "absent") is None


def test_the_peak_of_this_process_is_plausible():
    peak = meters.peak_host_bytes()

    assert 10 * 2**20 < peak < 2**40
