"""Every workload: what it declares, the data it gives, the model it builds."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest

from bench import registry
from bench.schema import PROFILES, Cell, Mode, Profile, Variant, Workload

REPOSITORY = Path(__file__).parent.parent
SPECS = registry.workloads()
MODELS = sorted(name for name, spec in SPECS.items() if spec.kind == "model")
PROBES = sorted(name for name, spec in SPECS.items() if spec.kind == "probe")
# The same images whatever the seed: a quality target reached on other images would be another target.
FIXED_DATA = ("cnn-digits",)
OUTPUT_SHAPES = {
    "cnn-digits": (32, 10),
    "inception-v3": (2, 1000),
    "lstm-text": (16, 128),
    "mlp-tabular": (32, 1),
    "mobilenet-v2": (2, 1000),
    "resnet50": (2, 1000),
    "transfer-2000": (2, 10),
    "transformer-text": (4, 8),
}
ALL_VARIANTS = [
    pytest.param(spec, profile, variant, id=f"{name}-{profile}-{index}")
    for name, spec in SPECS.items()
    for profile in PROFILES
    for index, variant in enumerate(spec.variants[profile])
]


def small_variant(name: str, *, mode: Mode = "train") -> Variant:
    return next(variant for variant in SPECS[name].variants["smoke"] if variant.mode == mode)


def arrays(name: str, variant: Variant, seed: int) -> list[np.ndarray]:
    return [part for part in registry.module(name).load_data(variant, seed) if part is not None]


def test_the_nine_workloads_are_there():
    expected = {*OUTPUT_SHAPES, "matmul"}

    assert expected <= set(SPECS)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_id_follows_from_the_file_name(name: str):
    file = Path(registry.module(name).__file__)

    assert file.stem.replace("_", "-") == SPECS[name].id == name


@pytest.mark.parametrize("name", sorted(SPECS))
def test_spec_has_all_three_profiles_and_a_headline_in_each(name: str):
    assert set(PROFILES) == set(SPECS[name].variants)
    for profile in PROFILES:
        modes = {variant.mode for variant in SPECS[name].variants[profile] if variant.headline}

        assert modes, f"{name}: no headline variant in {profile}"


@pytest.mark.parametrize(("spec", "profile", "variant"), ALL_VARIANTS)
def test_variant_is_sound(spec: Workload, profile: Profile, variant: Variant):
    assert variant.mode in get_args(Mode)
    assert 0 < variant.batch_size <= variant.n_samples
    assert 0 == variant.n_samples % variant.batch_size
    assert variant.n_blocks > 0 and variant.steady_limit_s > 0 and variant.estimate_s > 0
    assert 0 == variant.n_job_epochs or "train" == variant.mode


@pytest.mark.parametrize("name", sorted(SPECS))
@pytest.mark.parametrize("profile", PROFILES)
def test_no_two_variants_of_a_profile_are_the_same_cell(name: str, profile: Profile):
    ids = [
        Cell(
            workload=name,
            mode=variant.mode,
            backend="tensorflow",
            device="cpu",
            jit="off",
            batch_size=variant.batch_size,
            n_samples=variant.n_samples,
            threads=1,
            params=variant.params,
        ).id
        for variant in SPECS[name].variants[profile]
    ]

    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize("name", sorted(set(SPECS) - {"transfer-2000"}))
def test_quick_headlines_are_cells_of_the_reference_session(name: str):
    # A visitor's quick run can then be held against the committed reference sessions, cell by cell.
    def sizes(profile: Profile) -> set[tuple]:
        return {
            (v.mode, v.batch_size, v.n_samples, tuple(sorted(v.params.items())))
            for v in SPECS[name].variants[profile]
            if v.headline
        }

    assert sizes("quick") <= sizes("reference")


@pytest.mark.parametrize("name", MODELS)
def test_data_has_exactly_the_rows_declared(name: str):
    for profile in PROFILES:
        for variant in SPECS[name].variants[profile]:
            rows = min(variant.n_samples, 4 * variant.batch_size)
            cut = msgspec.structs.replace(variant, n_samples=rows)  # the pixels of whole sets would take minutes
            data = registry.module(name).load_data(cut, seed=0)

            assert (rows, rows) == (len(data.x), len(data.y))


@pytest.mark.parametrize("name", MODELS)
def test_whole_smoke_data_is_finite_and_numeric(name: str):
    variant = small_variant(name)

    parts = arrays(name, variant, seed=0)

    assert variant.n_samples == len(parts[0]) == len(parts[1])
    assert all(part.dtype.kind in "fiu" and np.isfinite(part).all() for part in parts)


@pytest.mark.parametrize("name", MODELS)
def test_same_seed_gives_the_same_data(name: str):
    variant = small_variant(name)

    first, second = arrays(name, variant, seed=3), arrays(name, variant, seed=3)

    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_another_seed_gives_other_data_where_it_is_drawn(name: str):
    variant = small_variant(name)

    same = np.array_equal(arrays(name, variant, seed=0)[0], arrays(name, variant, seed=1)[0])

    assert (name in FIXED_DATA) == same


def test_digits_held_out_are_not_among_those_trained_on():
    data = registry.module("cnn-digits").load_data(small_variant("cnn-digits"), seed=0)

    trained, held_out = ({image.tobytes() for image in part} for part in (data.x, data.x_test))

    assert (1440, 357) == (len(data.x), len(data.x_test))
    assert not trained & held_out


def test_tabular_labels_follow_from_the_rows_and_are_balanced():
    variant = Variant(batch_size=32, n_samples=8192, params={"width": 16})

    data = registry.module("mlp-tabular").load_data(variant, seed=0)

    # The rule adds x6 / 2 to its score, so rows with a large x6 say yes more often than those with a small one.
    said_yes = data.y[:, 0]
    assert 0.4 < said_yes.mean() < 0.6
    assert said_yes[data.x[:, 6] > 1].mean() - said_yes[data.x[:, 6] < -1].mean() > 0.1


def test_character_windows_end_where_their_answers_begin():
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", "replace").decode()

    data = registry.module("lstm-text").load_data(small_variant("lstm-text"), seed=0)

    for window, answer in zip(data.x, data.y, strict=True):
        assert "".join(map(chr, window)) + chr(answer) in text


def test_every_topic_is_long_enough_for_the_longest_passage():
    module = registry.module("transformer-text")
    longest = max(v.params["length"] for profile in PROFILES for v in module.SPEC.variants[profile])
    variant = Variant(batch_size=64, n_samples=256, params={"length": longest})

    data = module.load_data(variant, seed=0)

    assert (256, longest) == data.x.shape
    assert set(range(len(module.TOPICS))) == set(data.y.tolist())
    assert 0 <= data.x.min() and data.x.max() < module.N_TOKENS


def test_product_of_n_rows_counts_two_n_cubed():
    variant = Variant(batch_size=1, n_samples=1, params={"n": 100})

    assert 2e6 == registry.module("matmul").flop_per_step(variant)


def test_importing_the_workloads_imports_no_framework():
    code = (
        "import sys; from bench import registry; registry.workloads(); "
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'numpy'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)

    assert (0, "[]") == (done.returncode, done.stdout.strip()), done.stderr


def in_a_process(code: str) -> str:
    """Output of code that imports keras on TensorFlow's CPU; the suite itself stays free of frameworks."""
    env = dict(os.environ, KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=300
    )

    assert 0 == done.returncode, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.keras
def test_smoke_models_map_a_batch_to_the_declared_shape():
    code = """
import json
from bench import registry

shapes = {}
for name, spec in registry.workloads().items():
    for variant in spec.variants["smoke"] if spec.kind == "model" else ():
        module = registry.module(name)
        model = module.build_model(variant)
        assert not model.compiled, name
        data = module.load_data(variant, seed=0)
        model.compile(**module.compile_arguments(variant))
        shapes.setdefault(name, []).append(list(model.predict_on_batch(data.x[: variant.batch_size]).shape))
print(json.dumps(shapes))
"""

    shapes = msgspec.json.decode(in_a_process(code).splitlines()[-1])

    expected = {name: [list(OUTPUT_SHAPES[name])] * len(SPECS[name].variants["smoke"]) for name in OUTPUT_SHAPES}
    assert expected == {name: shapes[name] for name in expected}


@pytest.mark.keras
def test_only_the_read_out_learns_when_the_head_is_tuned():
    code = """
from bench import registry

module = registry.module("transfer-2000")
by_tuned = {variant.params["tuned"]: module.build_model(variant) for variant in module.SPEC.variants["smoke"]}
print(len(by_tuned["head"].trainable_weights), len(by_tuned["all"].trainable_weights))
"""

    n_head, n_all = map(int, in_a_process(code).splitlines()[-1].split())

    assert 2 == n_head  # kernel and bias of the new layer
    assert n_all > 100


@pytest.mark.keras
@pytest.mark.parametrize("name", PROBES)
def test_probe_stays_finite_over_many_steps(name: str):
    code = f"""
import keras
from bench import registry

for variant in registry.workloads()[{name!r}].variants["smoke"]:
    step = registry.module({name!r}).build_probe(variant, "float32")
    for _ in range(1000):
        product = step()
    print(float(keras.ops.max(keras.ops.abs(product))))
"""

    peaks = [float(line) for line in in_a_process(code).splitlines()[-len(SPECS[name].variants["smoke"]) :]]

    assert all(math.isfinite(peak) and 0.1 < peak < 1000 for peak in peaks)
