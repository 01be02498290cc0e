"""The host's processor and memory. Reads /proc and what py-cpuinfo and psutil tell."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from bench.schema import Precision

# Instruction sets, by /proc/cpuinfo's names, with which a CPU computes in sixteen bits; any one of them is enough.
SIXTEEN_BIT_FLAGS: Mapping[Precision, frozenset[str]] = {
    "mixed_bfloat16": frozenset({"avx512_bf16", "amx_bf16", "bf16"}),
    "mixed_float16": frozenset({"avx512_fp16", "amx_fp16", "asimdhp"}),
}
# Instruction sets that decide how fast a matrix product can be on a CPU, by /proc/cpuinfo's names.
FLAGS = (
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_bf16",
    "amx_fp16",
    "amx_int8",
    "asimd",
    "asimddp",
    "asimdhp",
    "sve",
    "bf16",
    "i8mm",
)


@functools.cache  # the library starts other programs to ask: a second
def cpu_facts() -> tuple[str, str, frozenset[str]]:
    """Model name, "vendor family/model/stepping", and flags."""
    os.environ.setdefault("PATH", os.defpath)  # without one, the library gives up and says nothing
    try:
        import cpuinfo

        info = cpuinfo.get_cpu_info() or {}
    except Exception:  # noqa: BLE001  the library probes with other programs, which may all be missing
        info = {}
    model = " ".join(str(info.get("brand_raw") or platform.processor() or platform.machine()).split())
    numbers = "/".join(str(info.get(key, "?")) for key in ("family", "model", "stepping"))
    return model, f"{info.get('vendor_id_raw', '?')} {numbers}", frozenset(info.get("flags", ()))


def memory_bytes() -> int:
    """Bytes of memory; ``BENCH_MEMORY_BYTES`` where that is more, for machines whose memory grows while it is used.

    0 where neither psutil nor the system tells.
    """
    granted = os.environ.get("BENCH_MEMORY_BYTES", "")
    return max(_told_bytes(), int(granted) if granted.isdigit() else 0)


def _told_bytes() -> int:
    try:
        import psutil

        return int(psutil.virtual_memory().total)
    except Exception:  # noqa: BLE001  absent, or it may not read /proc/meminfo
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def is_virtual() -> bool | None:
    """Whether a hypervisor announces itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return " hypervisor" in text if "flags" in text else None
