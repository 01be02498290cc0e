"""Finding workloads and fingerprinting their code."""

import ast

import pytest

from bench import registry


def test_every_file_is_found_under_its_own_name():
    names = {path.stem.replace("_", "-") for path in registry.Path(registry.package.__path__[0]).glob("[!_]*.py")}

    assert names == set(registry.workloads())
    assert {"resnet50", "cnn-digits", "matmul"} <= names


def test_an_unknown_workload_names_the_known_ones():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'resnet50'.*mlp-tabular"):
        registry.workload("resnet-50")


def fingerprint(source, tmp_path, monkeypatch):
    path = tmp_path / "workload.py"
    path.write_text(source)
    monkeypatch.setattr(registry, "workload", lambda _: None)
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda _: type("Spec", (), {"origin": str(path)}))
    registry.source_hash.cache_clear()
    value = registry.source_hash("any")
    registry.source_hash.cache_clear()
    return value


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
def test_only_a_change_of_what_is_computed_changes_the_fingerprint(source, same, tmp_path, monkeypatch):
    before = fingerprint(BASE, tmp_path, monkeypatch)

    assert same == (before == fingerprint(source, tmp_path, monkeypatch))


def test_a_fingerprint_does_not_depend_on_fields_that_only_some_pythons_have():
    function = ast.parse("def f(): pass").body[0]
    function.type_params = []
    with_field = registry._dump(function)
    del function.type_params

    assert with_field == registry._dump(function)
