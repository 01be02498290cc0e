"""Fingerprints that stand for the same code are what the history says, and the code they stand for does the same."""

import ast
import hashlib
import subprocess
from functools import cache
from pathlib import Path

import pytest

from bench import REPOSITORY
from bench.records import codec
from bench.schema import BACKENDS
from bench.workloads import registry
from tests import frameworks


def git(*words):
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


@cache
def sources(commit):
    """The text of a module at a commit, by dotted name; None where there was none."""
    files = set(git("ls-tree", "-r", "--name-only", commit, "bench").splitlines())

    @cache
    def source(name):
        base = name.replace(".", "/")
        file = next((file for file in (f"{base}.py", f"{base}/__init__.py") if file in files), None)
        return None if file is None else git("show", f"{commit}:{file}")

    return source


def fingerprint_1(name, source):
    """The fingerprint until schema 3: import statements counted, and parts were those that PARTS named."""

    def code(module):
        body = ast.parse(source(module)).body
        body = [node for node in body if not registry.assigns(node, "SPEC") and not registry.is_docstring(node)]
        for node in ast.walk(ast.Module(body=body, type_ignores=[])):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and registry.is_docstring(node.body[0]):
                node.body = node.body[1:] or node.body
        return body

    own = code(name)
    parts = next((ast.literal_eval(node.value) for node in own if registry.assigns(node, "PARTS")), ())
    text = "\n".join(registry.dump(node) for body in (own, *map(code, parts)) for node in body)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def modules_at(commit):
    """Dotted name of each workload's module at a commit."""
    files = [Path(file) for file in git("ls-tree", "-r", "--name-only", commit, "bench/workloads").splitlines()]
    return {f.stem.replace("_", "-"): ".".join(f.with_suffix("").parts) for f in files if f.suffix == ".py"}


def has_history():
    """Whether this is a git checkout with all its commits."""
    return (REPOSITORY / ".git").exists() and git("rev-parse", "--is-shallow-repository") == "false"


needs_history = pytest.mark.skipif(not has_history(), reason="the history is not here")


def change_for(why):
    return next(change for change in codec.changes() if why in change["why"])


def brought(change):
    """The commit that brought a row."""
    commit = git("log", "-1", "--format=%H", "-S", change["why"], "--", str(codec.SAME_CODE))
    return commit or pytest.skip("the newest change is not committed yet")


@pytest.mark.slow
@needs_history
def test_fingerprints_that_stand_for_the_same_code_are_those_of_the_history(monkeypatch):
    before_rooms = ("bench.fits", "bench.served", "bench.by_hand", "bench.cgroups", "bench.clock")
    monkeypatch.setattr(registry, "COUNTED", (*registry.COUNTED, *before_rooms))
    for change in codec.changes():
        before, after = change["commit"], brought(change)
        old, new = sources(before), sources(after)
        kind = fingerprint_1 if "PARTS" in (old("bench.registry") or "") else registry.fingerprint
        then, now = modules_at(before), modules_at(after)
        for workload, ends in change["same"].items():
            found = [kind(then[workload], old), registry.fingerprint(now[workload], new)]
            assert ends == found, workload


def without(names, source):
    """As `source`, but for functions of these names; says so if anything but SPEC used them."""

    def cut(module):
        text = source(module)
        if text is None:
            return None
        body = [node for node in ast.parse(text).body if getattr(node, "name", None) not in names]
        left = ast.Module(
            body=[node for node in body if not registry.assigns(node, *registry.DECLARED)], type_ignores=[]
        )
        assert not [node for node in ast.walk(left) if isinstance(node, ast.Name) and node.id in names], module
        return ast.unparse(ast.Module(body=body, type_ignores=[]))

    return cut


@needs_history
def test_without_the_functions_that_only_made_spec_the_code_is_the_same():
    change = change_for("functions that only made SPEC")
    old, then = without({"_variant", "_variants"}, sources(change["commit"])), modules_at(change["commit"])

    assert {workload: registry.fingerprint(then[workload], old) for workload in change["same"]} == {
        workload: after for workload, (_, after) in change["same"].items()
    }


# What a model's module gives, for every size of every profile; two rows of its data, since whole sets take gigabytes.
GIVEN = """
import hashlib, json, sys
import keras
import msgspec
from bench.workloads import registry

def module(workload):
    return registry.module(workload)

found = {}
for workload in sys.argv[1:]:
    for variant in {str(v): v for group in module(workload).SPEC.variants.values() for v in group}.values():
        keras.backend.clear_session()  # numbers of layers start anew
        cut = msgspec.structs.replace(variant, n_samples=2)
        data = [part for part in module(workload).load_data(cut, seed=3) if part is not None]
        arguments = module(workload).compile_arguments(variant)
        made = {name: keras.saving.serialize_keras_object(value) for name, value in arguments.items()}
        net = f"{workload} net {json.dumps(variant.params, sort_keys=True)}"
        found[net] = found.get(net) or module(workload).build_model(variant).to_json()
        found[f"{workload} {variant}"] = [
            [(part.shape, str(part.dtype), hashlib.sha256(part.tobytes()).hexdigest()) for part in data],
            json.dumps(made, sort_keys=True, default=str),
        ]
print(json.dumps(found))
"""


def said_at(commit, folder, code, *words, backend="tensorflow"):
    """The last line, as JSON, that code prints in a process of its own with the `bench` of a commit."""
    folder.mkdir()
    tree = subprocess.run(["git", "archive", commit, "bench"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=folder, input=tree, check=True)
    return frameworks.last_line(code, *words, backend=backend, folder=folder)


@pytest.mark.keras
@needs_history
def test_image_nets_and_their_data_are_those_of_before_they_shared_them(tmp_path):
    change = change_for("the image nets")
    names = ("inception-v3", "mobilenet-v2", "resnet50")

    before, after = (
        said_at(commit, tmp_path / commit, GIVEN, *names) for commit in (change["commit"], brought(change))
    )

    assert len(before) > 20
    assert before == after


@needs_history
def test_what_imports_the_image_nets_is_itself_unchanged():
    change = change_for("the image nets")
    old, new = sources(change["commit"]), sources(brought(change))
    for workload in set(change["same"]) - {"inception-v3", "mobilenet-v2", "resnet50"}:
        name = modules_at(change["commit"])[workload]

        assert old(name) == new(name), workload


# What the study trains in two rounds of its arms: losses each time that the clock is read, and steps of each block.
TRAINED = """
import importlib, json, os
from types import SimpleNamespace
import keras
import msgspec
from bench.workloads.studies import raw_framework

backend, found = os.environ["KERAS_BACKEND"], []

def sync(loss=None):
    found.append(None if loss is None else float(loss))

def take(arms):
    for name, arm in (*arms.items(), *arms.items()):
        found.append([name, arm().n_steps])

def fit(model, data, n_epochs, *, is_clocked):
    model.fit(data.x, data.y, epochs=n_epochs, batch_size=32, verbose=0)
    return SimpleNamespace(seconds=0.0)

for net in ("cnn", "mlp"):
    keras.utils.set_random_seed(3)
    variant = msgspec.structs.replace(raw_framework.SPEC.variants["smoke"][0], params={"net": net})
    raw_framework.measure(SimpleNamespace(
        keras=keras, framework=importlib.import_module(backend), variant=variant, seed=3, sync=sync, take=take, fit=fit,
        cell=SimpleNamespace(backend=backend, device="cpu", batch_size=32),
        first=lambda name, seconds: found.append(name), observe=lambda *seen: None,
    ))
print(json.dumps(found))
"""


@pytest.mark.keras
@needs_history
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_small_nets_take_the_same_steps_as_before_their_epochs_were_shared(tmp_path, backend):
    change = change_for("how they time an epoch")

    before, after = (
        said_at(commit, tmp_path / commit, TRAINED, backend=backend) for commit in (change["commit"], brought(change))
    )

    losses = [[found for found in side if isinstance(found, float)] for side in (before, after)]
    assert len(losses[0]) > 20
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    steps = [[found for found in side if not isinstance(found, float)] for side in (before, after)]
    assert steps[0] == steps[1]


@needs_history
def test_whole_models_time_an_epoch_by_the_functions_that_moved():
    change = change_for("how they time an epoch")
    name, part = modules_at(change["commit"])["raw-models"], "bench.workloads.parts.epochs"

    def statements(source, *modules):
        trees = [node for module in modules for node in ast.parse(source(module)).body]
        return sorted(registry.dump(n) for n in trees if not isinstance(n, ast.ImportFrom | ast.Import | ast.Expr))

    assert statements(sources(change["commit"]), name) == statements(sources(brought(change)), name, part)
