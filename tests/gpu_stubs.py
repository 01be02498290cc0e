"""A GPU that is not there: a fake NVML and, in the child, backends that say their CPU is one.

    python -m tests.gpu_stubs -m bench.cli gpu-day --time-budget 90s --pack OUT --profile smoke

runs a module or a script as ``python`` would, with this GPU in it and in every run that it starts; what is timed is the
CPU, so that records made this way say nothing and are never published. ``FAKE_GPU`` names faults, by commas:
"no-nvml", "gone" (every query of the driver fails), "torch-on-cpu" and "jax-on-cpu" (a backend falls back), "hangs".
"""

import os
import runpy
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

from bench.measure import backend as measure_backend
from bench.measure import child, control

NAME, MEMORY_BYTES, POWER_LIMIT_W = "Rehearsal GPU", 150_754_820_096, 700.0
UUID = "GPU-2f0bdb4f-0000-0000-0000-000000000000"


class NvmlError(Exception):
    """Stands in for pynvml.NVMLError."""


class FakeNvml(ModuleType):
    """pynvml with some GPUs.

    ``gpus`` are their names in the order of the bus; ``refused`` are calls that the driver does not answer; a name in
    ``absent`` is a function that these bindings do not have. ``calls`` counts what was asked.
    """

    NVMLError = NvmlError
    NVMLError_LibraryNotFound = type("NVMLError_LibraryNotFound", (NvmlError,), {})
    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    def __init__(self, *gpus: str, refused: tuple[str, ...] = (), absent: tuple[str, ...] = ()) -> None:
        super().__init__("pynvml")
        self.gpus, self.refused, self.absent = gpus or (NAME,), refused, absent
        self.calls: list[str] = []
        self.energy_mj, self.utilisation = 1_000_000, 93
        self.pids = [os.getpid()]
        self.start = time.monotonic()

    def __getattribute__(self, name: str):
        if not name.startswith("nvml"):
            return super().__getattribute__(name)
        if name in self.absent:
            raise AttributeError(name)
        call = super().__getattribute__(name)

        def counted(*args):
            self.calls.append(name)
            if name in self.refused or "*" in self.refused:
                raise NvmlError("Not Supported")
            return call(*args)

        return counted

    def nvmlInit(self):
        pass

    def nvmlShutdown(self):
        pass

    def nvmlSystemGetDriverVersion(self):
        return "580.159.03"

    def nvmlSystemGetCudaDriverVersion(self):
        return 13000

    def nvmlDeviceGetCount(self):
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index):
        if index >= len(self.gpus):
            raise NvmlError("Invalid Argument")
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid != UUID:
            raise NvmlError("Not Found")
        return len(self.gpus) - 1

    def nvmlDeviceGetName(self, handle):
        return self.gpus[handle]

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(total=MEMORY_BYTES, free=MEMORY_BYTES, used=0)

    def nvmlDeviceGetPowerManagementLimit(self, handle):
        return int(POWER_LIMIT_W * 1e3)

    def nvmlDeviceGetCudaComputeCapability(self, handle):
        return (9, 0)

    def nvmlDeviceGetClockInfo(self, handle, kind):
        return 1980

    def nvmlDeviceGetTemperature(self, handle, sensor):
        return 41

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):
        return 0x4  # software power cap, as usual at full load

    def nvmlDeviceGetPowerUsage(self, handle):
        return 120_000

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        return self.energy_mj + int(1e5 * (time.monotonic() - self.start))

    def nvmlDeviceGetUtilizationRates(self, handle):
        return SimpleNamespace(gpu=self.utilisation, memory=40)

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid) for pid in self.pids]


def faults() -> set[str]:
    """What FAKE_GPU asks for."""
    return set(filter(None, os.environ.get("FAKE_GPU", "").split(",")))


def install_nvml() -> None:
    """Put the fake driver where ``import pynvml`` finds it."""
    if "no-nvml" in faults():
        sys.modules["pynvml"] = None
    else:
        sys.modules["pynvml"] = FakeNvml(refused=("*",) if "gone" in faults() else ())


class FakeJaxDevice:
    """A JAX device of the CPU that tells what a GPU's would."""

    platform, device_kind = "gpu", NAME

    def __init__(self, device) -> None:
        self._device = device

    def memory_stats(self):
        return {"peak_bytes_in_use": 2**30 + int(time.monotonic() * 1e3)}

    def __getattr__(self, name):
        return getattr(self._device, name)


def install_backend(backend: str) -> None:
    """Let the backend's CPU pass for a GPU, in the calls that ``bench.measure.child`` makes."""
    import keras  # noqa: F401  before the calls below lie to it

    if f"{backend}-on-cpu" in faults():
        return
    adapter = measure_backend.ADAPTERS[backend]
    adapter.device_of = lambda self, value: "gpu"
    if backend == "torch":
        import torch

        torch.cuda.synchronize = torch.cuda.reset_peak_memory_stats = lambda *_: None
        torch.cuda.max_memory_allocated = lambda *_: 2**30
        torch.cuda.get_device_name = lambda *_: NAME
        torch.cuda.is_available = lambda: True
    elif backend == "tensorflow":
        from tensorflow import config

        config.experimental.get_memory_info = lambda _: {"peak": 2**30}
        config.experimental.reset_memory_stats = lambda _: None
        adapter.gpu_name = lambda self: NAME
    elif backend == "jax":
        import jax

        real = jax.devices
        jax.devices = lambda *args: [FakeJaxDevice(device) for device in real(*args)]


def work(request_path: str, result_path: str) -> None:
    """bench.measure.child on the GPU that is not there, for the cells that ask for one."""
    import msgspec

    from bench.schema import Request

    cell = msgspec.json.decode(Path(request_path).read_bytes(), type=Request).cell
    if cell.device == "gpu":
        if "hangs" in faults():
            time.sleep(600)
        os.environ |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "0"}
        install_nvml()
        install_backend(cell.backend)
        control.CONTROL_N = {"cpu": 256, "gpu": 256}
    child.main(request_path, result_path)


def main(argv: list[str]) -> None:
    """Run what is named, as ``python`` would, on a machine with this GPU."""
    if argv[0] == "work":
        work(*argv[1:])
        sys.stdout.flush()
        os._exit(0)
    install_nvml()
    from bench.session import launch

    launch.WORKER = (sys.executable, "-m", "tests.gpu_stubs", "work")
    if argv[0] == "-m":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
