"""Installed packages, variables that change results, the commit of a checkout. Reads package metadata, asks git."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from bench.machine import owner
from bench.schema import BACKENDS

DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tf-nightly"),
    "jax": ("jax",),
    "torch": ("torch",),
}
OTHER_VERSIONS = (
    "keras",
    "jaxlib",
    "jax-cuda12-plugin",
    "jax-cuda13-plugin",
    "nvidia-cublas",
    "nvidia-cublas-cu12",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "triton",
    "numpy",
    "scipy",
    "scikit-learn",
    "msgspec",
)

# Variables that change results; their values go into session.json when they are set.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "GOMP_SPINCOUNT",
    "HIP_VISIBLE_DEVICES",
    "JAX_PLATFORMS",
    "KERAS_TORCH_DEVICE",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_WAIT_POLICY",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


# Parts of bench/ that a measurement does not depend on.
NOT_MEASURING = ("report", "published", "results")
OPENMP = re.compile(r"/lib(gomp|iomp5|omp)[^/]*\.(?:so|dylib)[^/]*$")
COMMIT_TEXT = re.compile(r"([0-9a-f]{40})-([0-9a-f]{16})")


def versions() -> dict[str, str]:
    """Versions of Python, Keras, the installed backends and what they rest on; absent packages are left out."""
    found = {"python": platform.python_version()}
    for name in OTHER_VERSIONS:
        if version := _version(name):
            found[name] = version
    for backend in BACKENDS:
        if version := backend_version(backend):
            found[backend] = version
    return found


def backend_version(backend: str) -> str | None:
    """Installed version of a backend, or None when it is not installed; does not import it."""
    try:
        if importlib.util.find_spec(backend) is None:
            return None
    except ValueError:  # a module of that name is loaded that says not where it is from
        return "unknown"
    return next((v for name in DISTRIBUTIONS[backend] if (v := _version(name))), "unknown")


def openmp_runtimes(maps: Path = Path("/proc/self/maps")) -> list[str]:
    """OpenMP libraries loaded into this process, one entry per file; empty where the system does not tell."""
    try:
        lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    files = {line.split(maxsplit=5)[-1] for line in lines}
    return sorted(f"lib{found[1]}" for file in files if (found := OPENMP.search(file)))


def variables() -> dict[str, str]:
    """Environment variables that change results, as they are set now, but for paths and serial numbers of devices."""
    found = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return {name: owner.impersonal(value) for name, value in found.items() if "/" not in value and "\\" not in value}


def commit(repository: Path) -> tuple[str | None, bool | None]:
    """Git commit of a checkout and whether its measuring code differs from it; (None, None) where nothing tells.

    A copy without git, as on a rented machine, is told by ``BENCH_COMMIT``, which holds what ``commit_text`` gave.
    """
    try:
        head = git(repository, "rev-parse", "HEAD")
        excluded = (f":!bench/{name}" for name in NOT_MEASURING)
        return head, bool(git(repository, "status", "--porcelain", "--", "bench", *excluded))
    except (OSError, subprocess.SubprocessError):
        found = COMMIT_TEXT.fullmatch(os.environ.get("BENCH_COMMIT", ""))
    if found is None:
        return None, None
    return found[1], found[2] != measuring_hash(repository)


def commit_text(repository: Path) -> str:
    """A checkout's commit and the fingerprint of its measuring code, for ``BENCH_COMMIT`` beside a copy without git.

    Raises:
        ValueError: not a git checkout, or its measuring code is not that of its commit.
    """
    head, dirty = commit(repository)
    if head is None or dirty:
        raise ValueError("the measuring code is not committed: commit it, so that records can name where they are from")
    return f"{head}-{measuring_hash(repository)}"


def measuring_hash(repository: Path) -> str:
    """16 hex digits of SHA-256 over the Python files that a measurement depends on, with their paths."""
    root = repository / "bench"
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] not in NOT_MEASURING:
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def git(repository: Path, *words: str) -> str:
    """What a git command prints; raises ``CalledProcessError`` or ``OSError`` where it cannot."""
    found = subprocess.run(["git", *words], cwd=repository, capture_output=True, text=True, check=True, timeout=20)
    return found.stdout.strip()


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def os_text() -> str:
    """Name and version of the operating system, without the host."""
    if sys.platform == "linux":
        try:
            release = platform.freedesktop_os_release()
            return f"{release.get('PRETTY_NAME', 'Linux')}, kernel {'.'.join(platform.release().split('.')[:2])}"
        except OSError:
            return f"Linux {platform.release().split('-')[0]}"
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()}"
