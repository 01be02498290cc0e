"""The table of builds: every row has a source and a date, and the questions that are asked of it."""

import re

import pytest

from bench.doctor import builds
from bench.doctor.facts import NAMES

TABLE = builds.table()
ROWS = [*TABLE.release, *TABLE.generation, *TABLE.driver, *TABLE.plugin, *TABLE.ended]


def test_every_row_has_a_source_and_a_date():
    for row in ROWS:
        assert row.source, row
        assert re.fullmatch(r"\d{4}-\d\d-\d\d|undated", row.date), row


def test_every_build_names_a_list_that_exists():
    named = {name for row in TABLE.release for name in (*row.builds.values(), *row.arm.values())}

    assert named == set(TABLE.architectures)


def test_every_backend_has_releases_and_no_release_is_told_twice():
    for name in (*NAMES, "keras"):
        rows = [row for row in TABLE.release if row.framework == name]
        spans = sorted((builds.version_of(row.from_), builds.version_of(row.to)) for row in rows)
        assert spans
        assert all(before[1] < after[0] for before, after in zip(spans, spans[1:], strict=False)), name


CAPABILITIES = {
    "Kepler": ("3.5", "3.7"),
    "Maxwell": ("5.0", "5.2"),
    "Pascal": ("6.0", "6.1"),
    "Volta": ("7.0", "7.2"),
    "Turing": ("7.5",),
    "Ampere": ("8.0", "8.6", "8.7"),
    "Ada Lovelace": ("8.9",),
    "Hopper": ("9.0",),
    "Blackwell": ("10.0", "11.0", "12.0", "12.1"),
}


@pytest.mark.parametrize(
    ("capability", "name"), [(one, name) for name, several in CAPABILITIES.items() for one in several]
)
def test_generations_by_capability(capability, name):
    assert name == builds.generation(capability).name


@pytest.mark.parametrize("capability", [None, "", "unknown", "99.0"])
def test_an_unknown_capability_has_no_generation(capability):
    assert builds.generation(capability) is None


@pytest.mark.parametrize(
    ("listed", "capability", "runs"),
    [
        (("8.0",), "8.6", True),
        (("8.6",), "8.0", False),
        (("7.5", "8.0"), "7.0", False),
        (("9.0",), "12.0", False),
        (("9.0", "+9.0"), "12.0", True),
        (("12.0",), "12.1", True),
        (("+12.0",), "9.0", False),
    ],
)
def test_machine_code_runs_on_its_generation_and_portable_code_on_later_ones(listed, capability, runs):
    assert runs == builds.runs_on(listed, capability)


@pytest.mark.parametrize(
    ("framework", "chips", "driver", "python", "release", "expected"),
    [
        ("torch", ("6.1",), "12.4", "3.12", "2.8.0+cu128", ("2.8", "cu126")),
        ("torch", ("6.1",), "13.0", "3.12", "2.15.0", ("2.14", "cu126")),
        ("torch", ("7.0",), "13.0", "3.12", "2.11.0", ("2.11", "cu126")),
        ("torch", ("12.0",), "12.9", "3.12", "", ("2.11", "cu128")),
        ("torch", ("12.0",), "13.0", "3.12", "", ("2.15", "cu130")),
        ("torch", ("3.7",), "11.4", "3.12", "", ("2.7", "cu118")),
        ("torch", ("3.5",), "11.4", "3.12", "", None),
        ("torch", ("6.1", "8.6"), "12.4", "3.12", "", ("2.14", "cu126")),
        ("tensorflow", ("5.2",), "12.4", "3.12", "", ("2.16", "cuda12.3")),
        ("tensorflow", ("5.2",), "12.4", "3.13", "", None),
        ("jax", ("6.1",), "13.0", "3.12", "", ("0.10", "cuda12")),
        ("jax", ("8.6",), "13.0", "3.12", "", ("0.10", "cuda13")),
        ("jax", (), "12.2", "", "", ("0.10", "cuda12")),
    ],
)
def test_the_build_that_fits_card_driver_and_python(framework, chips, driver, python, release, expected):
    found = builds.fitting(framework, chips, driver, python, release)

    assert expected == (found and (found.release, found.tag))


@pytest.mark.parametrize(
    ("framework", "python", "expected"),
    [("tensorflow", "3.14.3", False), ("tensorflow", "3.13.1", True), ("torch", "3.14.0", True), ("jax", "", None)],
)
def test_pythons_that_have_wheels(framework, python, expected):
    assert expected == builds.has_wheel(framework, python)


@pytest.mark.parametrize(
    ("version", "limit", "expected"),
    [("0.5.2", "0.5.0", True), ("0.5.0", "0.5.0", False), ("2.18.1", "2.18", False), ("2.19.0", "2.18", True)],
)
def test_versions_beyond_a_limit(version, limit, expected):
    assert expected == builds.beyond(version, limit)


@pytest.mark.parametrize(
    ("capability", "tags"),
    [("7.5", set()), ("8.6", {"cu126", "cu130", "cu132"}), ("11.0", {"cu130", "cu132"}), ("12.1", {"cu130", "cu132"})],
)
def test_pytorch_for_linux_on_arm_is_built_for_other_chips(capability, tags):
    own = [build for build in builds.builds("torch", "aarch64") if build.release == "2.14"]

    assert tags == {build.tag for build in own if builds.runs_on(build.architectures, capability)}
    assert (builds.fitting("torch", (capability,), processor="aarch64") is not None) == bool(tags)
    assert builds.fitting("jax", (capability,), processor="aarch64") is not None
