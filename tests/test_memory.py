"""Memory by batch from records, what fits under a cap, and the words for a wait."""

from __future__ import annotations

import json

import msgspec
import pytest

from bench.records.store import Results
from bench.report.charts import make_table as tables_make
from bench.report.evidence import memory, waits
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.report.stats import format as fmt
from bench.schema import Cell, Record
from bench.workloads import registry
from tests.factories import make_cell, make_evidence, make_record, make_run, make_session_results


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return make_evidence(gpu=True)


def with_peaks(**peaks: int) -> Evidence:
    records = []
    for batch, size in peaks.items():
        record = make_record("resnet50", batch_size=int(batch.removeprefix("b")))
        runs = [make_run(i, cell=record.cell, peak_host_bytes=size) for i in range(2)]
        records.append(make_record("resnet50", batch_size=record.cell.batch_size, runs=runs))
    return make_evidence(make_session_results(records))


def test_memory_grows_along_the_line_through_two_batches():
    evidence = with_peaks(b8=2_800_000_000, b32=5_200_000_000)

    (growth,) = memory.growths(evidence, evidence.lead)

    assert 100_000_000 == growth.per_sample_bytes
    assert 2_000_000_000 == growth.fixed_bytes
    assert [0, 16, 32] == [growth.largest_batch(size) for size in (2_000_000_000, 4_000_000_000, 6_000_000_000)]


def test_memory_that_does_not_grow_tells_no_batch():
    assert () == memory.growths(*(lambda e: (e, e.lead))(with_peaks(b8=900_000_000, b32=900_000_000)))
    assert () == memory.growths(*(lambda e: (e, e.lead))(with_peaks(b8=900_000_000)))


def study_record(name: str, *, readings: list[dict[str, float]], batch: int, device: str = "cpu", **params) -> Record:
    """A record of a study of the catalogue, with these readings of its runs."""
    n_samples = batch if name == "memory-caps" else 2 * batch
    cell = Cell(
        workload=name, mode="study", backend="tensorflow", device=device, jit="off", batch_size=batch,
        n_samples=n_samples, threads=2, params=params,
    )  # fmt: skip
    like = make_cell("call-styles", device=device)
    runs = tuple(make_run(i, cell=like, series={}, readings=values) for i, values in enumerate(readings))
    spec = registry.workload(name)
    return Record(cell=cell, spec=spec, profile="reference", method_version=1, source_hash="x", status="ok", runs=runs)


def nets(**fields) -> list[Record]:
    """ResNet-50 read at two batches: 1 GB, and 0.1 GB for each picture."""
    return [
        study_record("memory-nets", readings=[{"peak": 1e9 + 1e8 * b}] * 2, batch=b, net="resnet50", **fields)
        for b in (2, 8)
    ]


def capped(*found: tuple[float, ...], batch: int = 16, **fields) -> Record:
    """ResNet-50 under a cap of 4 GB; of each run the largest batch, the next and the room."""
    readings = [dict(zip(("largest", "too-large", "room"), run, strict=False), cap=4e9) for run in found]
    return study_record("memory-caps", readings=readings, batch=batch, net="resnet50", cap_gb=4, **fields)


def of_catalogue(*records: Record) -> Evidence:
    return Evidence(Results((make_session_results(records),)), registry.workloads())


def test_a_net_of_the_study_has_its_workloads_title_and_replaces_its_whole_process():
    evidence = of_catalogue(*nets(), *with_peaks(b8=2_800_000_000, b32=5_200_000_000).lead.records.values())

    (growth,) = memory.growths(evidence, evidence.lead)

    assert "ResNet-50, 224 px" == growth.title
    assert pytest.approx((1e8, 1e9)) == (growth.per_sample_bytes, growth.fixed_bytes)
    (alone,) = memory.growths(*(lambda e: (e, e.lead))(with_peaks(b8=2_800_000_000, b32=5_200_000_000)))
    assert alone.title.endswith("(whole process)")


def test_sizes_of_one_net_are_told_apart():
    wide, narrow = (
        [
            study_record("memory-nets", readings=[{"peak": 1e8 * b}] * 2, batch=b, net="transformer-text", width=width)
            for b in (2, 8)
        ]
        for width in (128, 768)
    )
    evidence = of_catalogue(*wide, *narrow)

    assert {"Transformer encoder on words (width 128)", "Transformer encoder on words (BERT-base size)"} == {
        growth.title for growth in memory.growths(evidence, evidence.lead)
    }


def test_what_fits_is_a_range_over_frameworks_of_networks_read_alone():
    def read(batch: int, backend: str, peak: float, net: str = "resnet50") -> Record:
        record = study_record("memory-nets", readings=[{"peak": peak}] * 2, batch=batch, net=net)
        return msgspec.structs.replace(record, cell=msgspec.structs.replace(record.cell, backend=backend))

    hungrier = [read(batch, "jax", 1e9 + 2e8 * batch) for batch in (2, 8)]
    flat = [read(batch, "jax", 3e8 + batch, "mobilenet-v2") for batch in (2, 8)]
    whole = make_record("mobilenet-v2", batch_size=8)

    made = tables_make.make("what-fits", of_catalogue(*nets(), *hungrier, *flat, whole))

    assert [["ResNet-50, 224 px", "8 to 16", "32 to 64"]] == [[cell.text for cell in row[:3]] for row in made.rows]


def test_a_found_batch_stands_beside_the_computed_one_for_the_same_room():
    evidence = of_catalogue(*nets(), capped((16, 32, 3.5e9), (16, 32, 3.4e9)))

    (found,) = memory.caps(evidence, evidence.lead)

    assert (16, 32, 3.4e9, 16) == (found.largest, found.too_large, found.room_bytes, found.computed)  # 24 pictures fit


def test_of_runs_that_disagree_the_smallest_batch_counts():
    evidence = of_catalogue(capped((16, 32, 3.5e9), (8, 16, 3.5e9)))

    (found,) = memory.caps(evidence, evidence.lead)

    assert (8, 16, None) == (found.largest, found.too_large, found.computed)


def test_a_peak_that_hardly_grows_computes_nothing():
    flat = [
        study_record("memory-nets", readings=[{"peak": 2.8e9 + 1e7 * b}] * 2, batch=b, net="resnet50") for b in (1, 8)
    ]
    evidence = of_catalogue(*flat, capped((16, 32, 3.4e9)))

    (growth,), (found,) = (make(evidence, evidence.lead) for make in (memory.growths, memory.caps))
    (row,) = tables_make.make("largest-batch", evidence).rows

    assert growth.is_flat and found.computed is None
    assert {"not computed"} == {cell.text for cell in row[-len(memory.CARD_SIZES_GB) - 3 : -3]}
    assert not memory.growths(*(lambda e: (e, e.lead))(of_catalogue(*nets())))[0].is_flat


def test_a_line_of_another_arm_computes_nothing():
    evidence = of_catalogue(*nets(device="gpu"), capped((16, 32, 3.5e9)))

    (found,) = memory.caps(evidence, evidence.lead)

    assert found.computed is None


def test_caps_that_agree_are_counted_among_those_that_were_computed():
    evidence = of_catalogue(*nets(), capped((16, 32, 3.4e9)), capped((8, 16, 7e9), batch=32))

    assert "1 of 2" == lookup.lookup("memory-caps-agree", evidence).text
    assert not lookup.measured("memory-caps-agree", of_catalogue(capped((16, 32, 3.4e9))))


def test_the_table_of_caps_says_what_did_not_fit_and_what_was_never_reached():
    evidence = of_catalogue(*nets(), capped((0, 1, 3e8)), capped((64,), image_px=64))

    made = tables_make.make("real-caps", evidence)

    assert [["does not fit", "does not fit", "1"], [fmt.NOT_MEASURED, "64", "none tried"]] == [
        [cell.text for cell in row[-3:]] for row in made.rows
    ]
    assert all(cell.cells for cell in made.rows[0][2:])


def test_time_by_cores_compares_one_variant(evidence: Evidence):
    found = waits.by_threads(evidence, evidence.lead, "resnet50")

    assert len({(r.cell.batch_size, r.cell.n_samples, json.dumps(dict(r.cell.params))) for r in found.values()}) == 1
    assert found and all(record.cell.threads == n for n, record in found.items())
