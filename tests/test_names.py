"""Short names of cells: what people type finds the cell they mean, and no other."""

from __future__ import annotations

import pytest

from bench.cli import names
from bench.records import store
from bench.schema import BACKENDS
from bench.workloads.registry import UnknownNameError
from tests.factories import make_cell, make_plan


def by_id(*cells):
    return {cell.id: cell for cell in cells}


@pytest.fixture(scope="module")
def catalogue():
    """Every cell of the reference profile on a machine with a GPU."""
    return make_plan(profile="reference", n_gpus=1, n_cores=16, backends=BACKENDS, repeats=1).cells


def test_every_cell_has_a_name_of_its_own_that_finds_it(catalogue):
    made = names.short_names(catalogue.values())

    assert len(catalogue) == len(set(made.values()))
    some = list(made)[::100]  # each search goes through all of them
    assert some == [names.find(made[cell_id], catalogue).id for cell_id in some]
    assert "resnet50 train tensorflow b8" in made.values()
    assert "resnet50 train tensorflow gpu b8" in made.values()


def test_so_it_is_in_a_stored_session():
    session = min(store.load().sessions, key=lambda item: len(item.records))
    cells = {cell_id: record.cell for cell_id, record in session.records.items()}

    assert list(cells) == [names.find(name, cells).id for name in names.short_names(cells.values()).values()]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("resnet50 train tensorflow b8", ("resnet50", "tensorflow", "cpu", 8)),
        ("ResNet50 train  tens b8", ("resnet50", "tensorflow", "cpu", 8)),
        ("resnet50 train tensorflow cpu b8", ("resnet50", "tensorflow", "cpu", 8)),
        ("b8 gpu train torch resnet", ("resnet50", "torch", "gpu", 8)),
    ],
)
def test_words_in_any_order_and_cut_short_find_the_usual_cell(catalogue, typed, meant):
    found = names.find(typed, catalogue)

    assert meant == (found.workload, found.backend, found.device, found.batch_size)
    assert ("float32-strict", 16) == (found.precision, found.threads)


def test_an_id_finds_its_cell(catalogue):
    cell_id = next(iter(catalogue))

    assert cell_id == names.find(cell_id, catalogue).id


def test_a_whole_word_goes_before_the_beginning_of_one():
    eight, eighty = make_cell("resnet50", batch_size=8), make_cell("resnet50", batch_size=80)

    assert eight == names.find("b8", by_id(eight, eighty))
    assert [eighty] == names.matching("b80", by_id(eight, eighty))


def test_a_number_is_whole_or_another_one():
    with pytest.raises(UnknownNameError, match="unknown cell"):
        names.find("b8", by_id(make_cell("resnet50", batch_size=80)))


def test_what_fits_several_names_the_nearest_and_no_wall_of_ids(catalogue):
    with pytest.raises(
        UnknownNameError, match=r"'resnet50' fits \d+ cells: .*'resnet50 train .* and \d+ more"
    ) as refused:
        names.find("resnet50", catalogue)
    assert len(str(refused.value)) < 400


def test_a_misspelt_name_is_answered_by_those_near_it(catalogue):
    with pytest.raises(UnknownNameError, match="near it: .*'resnet50 train tensorflow b8'") as refused:
        names.find("resnte50 train tensorflow b8", catalogue)
    assert len(str(refused.value)) < 400
