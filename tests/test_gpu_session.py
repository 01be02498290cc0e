"""The invented GPU session follows the plan, and the store takes it for a session like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.records import files, store
from tests import gpu_session
from tests.factories import make_plan


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["quick", "reference"])
def test_the_store_accepts_every_planned_cell(tmp_path: Path, profile: str) -> None:
    session = gpu_session.gpu_session(profile, repeats=1)
    planned = make_plan(profile=profile, n_gpus=1, n_cores=16, backends=("jax", "torch"), repeats=1)
    assert set(planned.cells) == set(session.records)
    gpu_session.add_to(tmp_path, session)
    assert [] == store.check(tmp_path)


def test_a_local_one_is_read_as_this_machines_own(tmp_path: Path) -> None:
    session = gpu_session.gpu_session("quick", local=True, only=("matmul",))
    gpu_session.add_to(tmp_path, session)
    assert [True] == [found.is_local for found in store.load(tmp_path).sessions]


def test_equal_arguments_give_equal_sessions() -> None:
    assert gpu_session.gpu_session(only=("matmul",)) == gpu_session.gpu_session(only=("matmul",))


def test_no_invented_cell_is_among_the_committed_records() -> None:
    assert not list(files.RESULTS.glob(f"{gpu_session.MACHINE}/{gpu_session.DAY}"))
