"""Finding workloads and fingerprinting their code."""

import ast

import pytest

from bench import ROOT
from bench.records import check
from bench.workloads import registry


def test_every_file_is_found_under_its_own_name():
    folders = (ROOT / "workloads" / folder for folder in check.FOLDERS)
    names = {path.stem.replace("_", "-") for folder in folders for path in folder.glob("[!_]*.py")}

    assert names == set(registry.workloads())
    assert {"resnet50", "cnn-digits", "matmul"} <= names


def test_an_unknown_workload_names_the_known_ones():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'resnet50'.*and [0-9]+ more"):
        registry.workload("resnet-50")


def fingerprint(source, **parts):
    modules = {"bench.workloads.own": source} | {f"bench.workloads.{name}": text for name, text in parts.items()}
    return registry.fingerprint("bench.workloads.own", modules.get)


BASE = '"""Doc."""\nSPEC = 1\ndef f(x):\n    """Doc."""\n    return x + 1\n'


@pytest.mark.parametrize(
    ("source", "same"),
    [
        (BASE.replace("Doc.", "Other words."), True),
        (BASE.replace("SPEC = 1", "SPEC = 2"), True),
        (BASE.replace("x + 1", "(x + 1)  # a comment"), True),
        (BASE.replace("x + 1", "x + 2"), False),
        (BASE + "WIDTH = 3\n", False),
    ],
)
def test_only_a_change_of_what_is_computed_changes_the_fingerprint(source, same):
    assert same == (fingerprint(BASE) == fingerprint(source))


IMPORTING = "def f(x):\n    from bench.workloads.parts import nets\n    return nets.g(x)\n"
PARTS = {"parts.nets": "def g(x):\n    return x\n"}


@pytest.mark.parametrize(
    ("source", "parts", "same"),
    [
        (IMPORTING, {"parts.nets": "def g(x):\n    return 2 * x\n"}, False),
        (IMPORTING, {"parts.nets": "import os\n\n\ndef g(x):\n    return x\n"}, True),
        (IMPORTING.replace("parts import nets", "moved import nets"), {"moved.nets": PARTS["parts.nets"]}, True),
        ("import numpy\n" + IMPORTING, PARTS, True),
        (IMPORTING, PARTS | {"other": "def h(): pass"}, True),
        (
            IMPORTING,
            {"parts.nets": "from bench.workloads import other\n" + PARTS["parts.nets"]} | {"other": "A = 1"},
            False,
        ),
    ],
)
def test_what_a_workload_imports_counts_by_content_and_not_by_name(source, parts, same):
    assert same == (fingerprint(IMPORTING, **PARTS) == fingerprint(source, **parts))


def test_what_lies_beside_the_workloads_does_not_count():
    assert fingerprint("from bench import machine\nA = 1") == fingerprint("A = 1")


def test_a_fingerprint_does_not_depend_on_fields_that_only_some_pythons_have():
    function = ast.parse("def f(): pass").body[0]
    function.type_params = []
    with_field = registry.dump(function)
    del function.type_params

    assert with_field == registry.dump(function)
