"""Collects what the doctor looks at of the host. Reads /proc, /sys, NVML and the environment; imports no framework.

Whatever refuses to be read becomes a fact of its own, ``refused``, with the reason; nothing here raises.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bench.doctor import words
from bench.doctor.facts import CoreKind, GpuFacts, HostFacts
from bench.machine import cores, cpu, describe, meters
from bench.machine import nvml as machine_nvml
from bench.machine.nvml import Nvml

T = TypeVar("T")
PCI = Path("/sys/bus/pci/devices")
KFD = Path("/sys/class/kfd/kfd/topology/nodes")
DEVICES = Path("/dev")
# Windows keeps its display adapters here, each in a folder with a number.
ADAPTERS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"


class Reader:
    """Calls what reads one fact; keeps the reason of each that refuses."""

    def __init__(self) -> None:
        """Nothing has refused yet."""
        self.refused: dict[str, str] = {}

    def __call__(self, fact: str, read: Callable[[], T], otherwise: T) -> T:
        """What ``read`` gives; ``otherwise`` where it raises, whatever it raises."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001  a refused query is a fact, not a crash
            reason = words.clean(getattr(error, "strerror", None) or str(error))
            self.refused[fact] = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
            return otherwise


def host() -> HostFacts:
    """The machine as it is now."""
    read = Reader()
    described = read("machine", describe.describe, None)
    counted = read("cores", cores.cores, cores.Cores(1, None, None, 1))
    release = read("kernel", platform.release, "").lower()
    kinds: list[cores.Kind] = read("kinds of cores", cores.kinds_here, [])
    cards: tuple[tuple[str, str], ...] = read("graphics cards", graphics_cards, ())
    return HostFacts(
        system=read("system", platform.system, "") or "unknown",
        wsl="microsoft" in release,
        container=read("container", container, ""),
        remote=any(name in os.environ for name in ("SSH_CONNECTION", "SSH_TTY")),
        board=read("board", board, ""),
        python=read("python", platform.python_version, ""),
        architecture=read("architecture", architecture, ""),
        cpu_model=described.cpu_model if described else "",
        cpu_flags=described.cpu_flags if described else (),
        n_visible=counted.visible,
        n_affinity=counted.affinity,
        quota_cores=counted.quota,
        n_effective=counted.effective,
        n_physical=described.n_physical_cores if described else None,
        core_kinds=tuple(CoreKind(n_cores=kind.n_cores, n_threads=kind.n_threads) for kind in kinds),
        load_1min=read("load", meters.load_1min, None),
        n_throttled=read("throttled periods", cores.throttled_periods, None),
        memory_bytes=read("memory", cpu.memory_bytes, 0) or None,
        free_bytes=read("free memory", _free_memory, None),
        memory_limit_bytes=read("memory limit", cores.memory_limit, None),
        shm_bytes=read("shared memory", _shm, None) if sys.platform == "linux" else None,
        on_battery=read("battery", _on_battery, None),
        power_profile=read("power profile", _power_profile, ""),
        pci_gpus=tuple(vendor for vendor, _ in cards),
        pci_drivers=tuple(driver for _, driver in cards),
        has_kfd=read("compute device", lambda: (DEVICES / "kfd").exists(), False),
        may_render=read("render devices", may_render, None),
        gfx=read("AMD's chips", gfx_targets, ()),
        kernel_module=read("NVIDIA's kernel module", kernel_module, ""),
        **_nvidia(read),
        refused=read.refused,
    )


def architecture() -> str:
    """The processor's kind as Python was built for it: a Python of 32 bits, or for musl, takes no usual wheel."""
    machine = platform.machine()
    if sys.maxsize < 2**32 and "64" in machine:
        return f"{machine}, 32-bit Python"
    return f"{machine}, musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else machine


def _nvidia(read: Reader) -> dict[str, Any]:
    """What NVIDIA's library tells, as fields of HostFacts."""

    def ask() -> dict[str, Any]:
        with machine_nvml.opened() as nvml:
            told = nvml_facts(nvml)
        read.refused.update({f"NVML {name}": why for name, why in nvml.refused.items()})
        return told

    return read("NVML", ask, {})


def nvml_facts(nvml: Nvml) -> dict[str, Any]:
    """Fields of HostFacts that NVIDIA's library fills, as it answers now."""
    return {
        "gpus": gpu_facts(nvml),
        "driver": nvml.driver(),
        "driver_cuda": nvml.driver_cuda(),
        "driver_error": nvml.error,
        "nvml": nvml.state,
    }


def gpu_facts(nvml: Nvml) -> tuple[GpuFacts, ...]:
    """Every GPU as its driver tells now."""
    found = []
    for handle in nvml.handles():
        gpu, pids = nvml.describe(handle), nvml.pids(handle)
        found.append(
            GpuFacts(
                name=gpu.name,
                memory_bytes=gpu.memory_bytes,
                free_bytes=nvml.free_bytes(handle),
                compute_capability=gpu.compute_capability,
                n_processes=None if pids is None else sum(pid != os.getpid() for pid in pids),
                throttle=nvml.throttle(handle) or None,
                mig=nvml.is_mig(handle),
            )
        )
    return tuple(found)


def container(root: Path = Path("/")) -> str:
    """Kind of the container this process is in; empty outside one or where nothing tells."""
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    if "APPTAINER_CONTAINER" in os.environ or "SINGULARITY_CONTAINER" in os.environ:
        return "apptainer"
    return os.environ.get("container", "")


def graphics_cards() -> tuple[tuple[str, str], ...]:
    """Vendor number and kernel driver of each graphics card.

    Raises:
        OSError: this system has no list of cards that a program may read.
    """
    if sys.platform == "win32":
        return _adapters()
    if sys.platform == "darwin":
        return ()
    if not PCI.is_dir():
        raise FileNotFoundError(f"{PCI} is not there")
    return pci_cards(PCI)


def pci_cards(root: Path) -> tuple[tuple[str, str], ...]:
    """Vendor number and kernel driver of each graphics card and accelerator on the PCI bus."""
    found = []
    for device in sorted(root.glob("*")):
        try:
            kind, vendor = (device / "class").read_text().strip(), (device / "vendor").read_text().strip()
        except (OSError, ValueError):
            continue
        if kind.startswith("0x03") or (kind.startswith("0x12") and vendor in ("0x10de", "0x1002")):
            found.append((vendor, os.path.basename(os.readlink(device / "driver")) if has_driver(device) else ""))
    return tuple(found)


def has_driver(device: Path) -> bool:
    """Whether the kernel has bound a driver to a device."""
    return (device / "driver").is_symlink()


def _adapters() -> tuple[tuple[str, str], ...]:
    """The same on Windows, from its registry."""
    import winreg

    found = []
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, ADAPTERS) as folder:  # type: ignore[attr-defined]
        for index in range(winreg.QueryInfoKey(folder)[0]):  # type: ignore[attr-defined]
            try:
                with winreg.OpenKey(folder, winreg.EnumKey(folder, index)) as adapter:  # type: ignore[attr-defined]
                    number = str(winreg.QueryValueEx(adapter, "MatchingDeviceId")[0])  # type: ignore[attr-defined]
            except OSError:
                continue
            if vendor := re.search(r"(?i)ven_([0-9a-f]{4})", number):
                found.append((f"0x{vendor[1].lower()}", ""))
    return tuple(found)


def gfx_targets(root: Path = KFD) -> tuple[str, ...]:
    """AMD's chips as ROCm names them, from the kernel's compute driver: 110501 is "gfx1151", 90010 "gfx90a"."""
    found = []
    for file in sorted(root.glob("*/properties")):
        told = re.search(r"gfx_target_version (\d+)", file.read_text(errors="replace"))
        if told and (number := int(told[1])):
            found.append(f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}")
    return tuple(found)


def may_render(root: Path = DEVICES) -> bool | None:
    """Whether this user may open the devices that AMD's and Intel's GPUs compute through; None without one."""
    devices = [file for file in (root / "kfd", *sorted((root / "dri").glob("renderD*"))) if file.exists()]
    return all(os.access(file, os.R_OK | os.W_OK) for file in devices) if devices else None


def kernel_module(file: Path = Path("/proc/driver/nvidia/version")) -> str:
    """Version of NVIDIA's module in the running kernel; empty without one."""
    if not file.exists():
        return ""
    told = re.search(r"\d{3}(?:\.\d+)+", file.read_text(errors="replace"))
    return told[0] if told else "unknown"


def board(root: Path = Path("/")) -> str:
    """A small computer's own name, as its firmware tells; empty on others."""
    for name in ("proc/device-tree/model", "sys/firmware/devicetree/base/model"):
        if (root / name).exists():
            return (root / name).read_text(errors="replace").strip("\0 \n")
    return "NVIDIA Jetson" if (root / "etc/nv_tegra_release").exists() else ""


def _free_memory() -> int | None:
    import psutil

    return int(psutil.virtual_memory().available)


def _shm() -> int | None:
    found = os.statvfs("/dev/shm")
    return found.f_frsize * found.f_blocks


def _on_battery() -> bool | None:
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged


def _power_profile() -> str:
    """ACPI's profile, else the frequency governor of the first core; empty where the system has neither."""
    for path in ("/sys/firmware/acpi/platform_profile", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"):
        if os.path.exists(path):
            return Path(path).read_text(errors="replace").strip()
    return ""
