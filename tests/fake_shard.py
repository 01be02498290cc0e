"""A job on an invented machine whose child measures nothing; its process imports this file by name."""

import sys
from pathlib import Path

import pytest

from bench.session import launch, shards
from tests.test_kill import as_host


class FakeShard(shards.Shard):
    """Runs come from the folder that QUICK_RUNS names."""

    def __call__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            as_host(patch.setattr)
            worker = Path(__file__).with_name("quick_worker.py")
            patch.setattr(launch, "WORKER", (sys.executable, "-S", str(worker)))
            super().__call__()
