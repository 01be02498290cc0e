"""What pages say of published builds: what the table tells, in the right direction."""

import re

import msgspec
import pytest

from bench.doctor import builds
from bench.report.pages import build_calls


def words(markup):
    return re.sub(r"</?code>", "`", str(markup))


@pytest.mark.parametrize(
    ("framework", "chip", "expected"),
    [
        ("torch", "12.0", "since `2.7`, in the builds `cu128` and later"),
        ("torch", "gfx1151", "since `2.10`, in the builds `rocm7.1` and later"),
        ("jax", "gfx1151", "no builds that we know"),
        ("tensorflow", "5.2", "up to `2.16`, in the build `cuda12.3`"),
        ("jax", "3.7", "none up to `"),
        ("jax", "12.0", "since `0.6`, in the builds `cuda12` and later"),
        ("torch", "8.6", "yes, up to the newest we read, `"),
    ],
)
def test_builds_with_code_for_a_chip(framework, chip, expected):
    assert expected in words(build_calls.code_for(framework, chip))


def test_a_new_release_is_one_row(monkeypatch):
    table = builds.table()
    row = next(row for row in reversed(table.release) if row.framework == "tensorflow")
    new = msgspec.structs.replace(
        row, from_="2.99", to="2.99", builds={"cuda13.0": "7.5 to 12.0"}, date="2027-01-01", source="x"
    )
    monkeypatch.setattr(builds, "table", lambda: msgspec.structs.replace(table, release=(*table.release, new)))

    assert "since `2.99`, in the builds `cuda13.0` and later" == words(build_calls.code_for("tensorflow", "12.0"))
    assert "up to `" in words(build_calls.code_for("tensorflow", "6.0"))
    assert "`7.5` to `12.0`, in TensorFlow `2.99`" == words(build_calls.chips_of("tensorflow"))
    assert "2.99" in build_calls.builds_for("12.0") and "2027-01-01" in build_calls.builds_for("12.0")


def test_every_generation_that_was_given_up_has_its_last_builds():
    told = words(build_calls.old_cards())

    for row in builds.table().generation:
        assert bool(row.last_driver) == (row.name in told)


def test_what_ended_names_its_last_release():
    assert "TensorFlow `2.10`" == words(build_calls.last_with("tensorflow", "GPU on native Windows"))
    assert "JAX `0.5.0`, read on 2025-03-11" == words(build_calls.plugin_end("jax-metal"))
    with pytest.raises(KeyError):
        build_calls.plugin_end("metal")
