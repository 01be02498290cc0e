"""Every workload: what it declares, the data it gives, the model it builds."""

from __future__ import annotations

import math
import re
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import numpy as np
import pytest

from bench.schema import BACKENDS, PROFILES, Cell, DataUnavailableError, Mode, Profile, Variant, Workload
from bench.workloads import registry
from tests import frameworks

REPOSITORY = Path(__file__).parent.parent
SPECS = registry.workloads()
MODELS = sorted(name for name, spec in SPECS.items() if spec.kind == "model")
PROBES = sorted(name for name, spec in SPECS.items() if spec.kind == "probe")
# The same data whatever the seed: a quality target reached on other data would be another target.
FIXED_DATA = ("cnn-digits", "cnn-fashion", "detector", "gpt-small")
# Keras fetches their data; the tests need no network, and the suite's own process imports no framework.
DOWNLOADED = ("cnn-fashion",)
WITH_DATA = sorted(set(MODELS) - set(DOWNLOADED))
OUTPUT_SHAPES = {
    "cnn-digits": (32, 10),
    "cnn-fashion": (32, 10),
    "detector": (16, 8, 8, 8),
    "detector-640": (2, 84, 144),
    "diffusion-unet": (1, 8, 8, 4),
    "embedding": (64, 1),
    "gpt-small": (16, 32, 128),
    "inception-v3": (2, 1000),
    "lora": (2, 16, 50_304),
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


def small_variant(name: str) -> Variant:
    return next(variant for variant in SPECS[name].variants["smoke"] if variant.mode in ("train", "infer"))


def arrays(name: str, variant: Variant, seed: int) -> list[np.ndarray]:
    return [part for part in registry.module(name).load_data(variant, seed) if part is not None]


def test_every_model_says_what_it_puts_out():
    assert MODELS == sorted(OUTPUT_SHAPES)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_spec_has_all_three_profiles_and_a_headline_in_each(name: str):
    assert set(PROFILES) == set(SPECS[name].variants)
    for profile in PROFILES:
        if profile == "quick" and SPECS[name].kind == "study" and not SPECS[name].variants[profile]:
            continue  # the quick set is for a visitor with five minutes, and holds only a few studies
        modes = {variant.mode for variant in SPECS[name].variants[profile] if variant.headline}

        assert modes, f"{name}: no headline variant in {profile}"


@pytest.mark.parametrize(("spec", "profile", "variant"), ALL_VARIANTS)
def test_variant_is_sound(spec: Workload, profile: Profile, variant: Variant):
    assert variant.mode in get_args(Mode)
    assert 0 < variant.batch_size <= variant.n_samples
    assert 0 == variant.n_samples % variant.batch_size
    assert variant.n_blocks > 0 and variant.steady_limit_s > 0 and variant.estimate_s > 0
    assert 0 == variant.n_job_epochs or "train" == variant.mode


# What only a GPU runs, since it would take a CPU minutes: workload, parameter or mode, batch.
GPU_SIZES = {
    "quick": {("resnet50", "train", 128)},
    "reference": {
        ("resnet50", "train", 128),
        ("resnet50", "train", 256),
        ("resnet50", "infer", 256),
        ("transformer-text", "train", 64),
        ("mlp-tabular", "train", 8192),
    },
}


@pytest.mark.parametrize("profile", PROFILES)
def test_networks_have_sizes_that_fill_a_gpu(profile: Profile):
    """With ten steps an epoch at least, since the first waits for its data; the CPU's headline stays the headline."""
    own = [(name, v) for name in MODELS for v in SPECS[name].variants[profile] if v.devices == ("gpu",)]

    assert GPU_SIZES.get(profile, set()) == {(name, v.mode, v.batch_size) for name, v in own}
    assert all(v.n_samples >= 10 * v.batch_size and not v.headline for _, v in own)
    assert all(("tf32", "mixed_bfloat16") == v.more_precisions for _, v in own)


@pytest.mark.parametrize(("name", "param", "sizes"), [("matmul", "n", {8192, 16_384}), ("bandwidth", "mib", {2048})])
def test_probes_of_a_gpu_are_larger_than_its_caches(name: str, param: str, sizes: set[int]):
    own = {v.params[param]: v for v in SPECS[name].variants["reference"] if v.devices == ("gpu",)}

    assert sizes == set(own)
    assert not any(v.headline for v in own.values())


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


@pytest.mark.parametrize("name", WITH_DATA)
def test_data_has_exactly_the_rows_declared(name: str):
    for profile in PROFILES:
        for variant in SPECS[name].variants[profile]:
            rows = variant.batch_size
            cut = msgspec.structs.replace(variant, n_samples=rows)  # the pixels of whole sets would take minutes
            data = registry.module(name).load_data(cut, seed=0)

            assert (rows, rows) == (len(data.x), len(data.y))


@pytest.mark.parametrize("name", WITH_DATA)
def test_whole_smoke_data_is_finite_and_numeric(name: str):
    variant = small_variant(name)

    parts = arrays(name, variant, seed=0)

    assert variant.n_samples == len(parts[0]) == len(parts[1])
    assert all(part.dtype.kind in "fiu" and np.isfinite(part).all() for part in parts)


@pytest.mark.parametrize("name", WITH_DATA)
def test_same_seed_gives_the_same_data(name: str):
    variant = small_variant(name)

    first, second = arrays(name, variant, seed=3), arrays(name, variant, seed=3)

    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", WITH_DATA)
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


def fashion_with(monkeypatch: pytest.MonkeyPatch, load: Any) -> Any:
    """The workload's module, with a keras whose download is `load`."""
    keras = SimpleNamespace(datasets=SimpleNamespace(fashion_mnist=SimpleNamespace(load_data=load)))
    monkeypatch.setitem(sys.modules, "keras", keras)
    return registry.module("cnn-fashion")


def test_fashion_images_are_cut_to_the_rows_declared_and_scaled(monkeypatch: pytest.MonkeyPatch):
    pixels, labels = np.full((900, 28, 28), 255, dtype=np.uint8), np.zeros(900, dtype=np.uint8)
    module = fashion_with(monkeypatch, lambda: ((pixels, labels), (pixels[:70], labels[:70])))

    data = module.load_data(small_variant("cnn-fashion"), seed=0)

    assert ((512, 28, 28, 1), (512,)) == (data.x.shape, data.y.shape)
    assert ((70, 28, 28, 1), 1.0) == (data.x_test.shape, data.x_test.max())


def test_images_that_cannot_be_fetched_say_what_to_do(monkeypatch: pytest.MonkeyPatch):
    limits = []

    def fail() -> None:
        limits.append(socket.getdefaulttimeout())
        raise Exception("URL fetch failure")  # what Keras raises

    module = fashion_with(monkeypatch, fail)

    with pytest.raises(DataUnavailableError, match="connect to the network and run"):
        module.load_data(small_variant("cnn-fashion"), seed=0)
    assert [module.SOCKET_LIMIT_S] == limits
    assert socket.getdefaulttimeout() is None  # as before


def test_character_models_are_asked_for_the_next_character():
    data = registry.module("gpt-small").load_data(small_variant("gpt-small"), seed=0)

    for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
        assert np.array_equal(x[:, 1:], y[:, :-1])


def test_held_out_windows_stand_in_no_topic_that_is_trained_on():
    from pydoc_data.topics import topics

    module = registry.module("gpt-small")
    text = "\n".join(topics[name] for name in topics if name not in module.HELD_OUT)
    (variant,) = (v for v in module.SPEC.variants["reference"] if v.mode == "train")

    data = module.load_data(variant, seed=0)

    assert 256 == len(data.x_test)
    assert not [window for window in data.x_test if "".join(map(chr, window)) in text]


def test_grids_say_where_the_drawn_shapes_are():
    data = registry.module("detector").load_data(small_variant("detector"), seed=0)
    images, grids = data.x, data.y

    # Shapes are brighter than the noise behind them, so pixels that far up must lie in some box, and boxes be found.
    n_objects = 0
    for image, grid in zip(images, grids, strict=True):
        bright = image.min(axis=-1) > 0.35
        inside = np.zeros_like(bright)
        for i, j in zip(*np.nonzero(grid[..., 0]), strict=True):
            x, y, width, height = grid[i, j, 1:5]
            middle = (j + x) * 8, (i + y) * 8
            left, right = (round(middle[0] + side * width * 32) for side in (-1, 1))
            top, bottom = (round(middle[1] + side * height * 32) for side in (-1, 1))
            assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
            inside[top:bottom, left:right] = True
            n_objects += 1
        assert not (bright & ~inside).any()
    assert 64 < n_objects < 64 * 4
    assert {0, 1, 2} == set(grids[grids[..., 0] > 0][:, 5])


def test_cells_without_an_object_are_zero():
    grids = registry.module("detector").load_data(small_variant("detector"), seed=0).y

    assert not grids[grids[..., 0] == 0].any()


def test_ids_stay_in_the_table_and_few_make_up_much():
    variant = Variant(batch_size=64, n_samples=4096, params={"rows": 100_000, "optimizer": "adam"})

    data = registry.module("embedding").load_data(variant, seed=0)

    _, counts = np.unique(data.x, return_counts=True)
    assert 0 <= data.x.min() and data.x.max() < 100_000
    assert 0.3 < np.sort(counts)[-100:].sum() / data.x.size < 0.9
    assert 0.45 < data.y.mean() < 0.55


def test_a_pushed_cart_moves_as_the_equations_say():
    module = registry.module("rl-loop")
    poles = module.CartPoles(2, seed=0)
    poles.states = np.zeros((2, 4), dtype=np.float32)

    rewards, ends = poles.step(np.array([True, False]))

    # Upright and at rest, by hand: 10 N on 1.1 kg give 9.0909 m/s^2 at the pole's foot; the pole turns the other way.
    turning = -9.0909 / (0.5 * (4 / 3 - 0.1 / 1.1))
    moving = 9.0909 - 0.05 * turning / 1.1
    expected = np.array([0, 0.02 * moving, 0, 0.02 * turning])
    assert np.allclose([expected, -expected], poles.states, atol=1e-4)
    assert ([1, 1], [False, False]) == (rewards.tolist(), ends.tolist())


def test_a_fallen_pole_starts_anew():
    poles = registry.module("rl-loop").CartPoles(2, seed=0)
    poles.states = np.array([[0, 0, 0.3, 0], [0, 0, 0, 0]], dtype=np.float32)

    rewards, ends = poles.step(np.array([True, True]))

    assert ([0, 1], [True, False]) == (rewards.tolist(), ends.tolist())
    assert abs(poles.states[0]).max() <= 0.05


def test_rewards_after_an_end_do_not_count_before_it():
    module = registry.module("rl-loop")
    rewards, ends = np.ones((3, 1), dtype=np.float32), np.array([[False], [True], [False]])

    found = module.advantages(rewards, ends)

    returns = np.array([1 + module.DISCOUNT, 1, 1])
    assert np.allclose((returns - returns.mean()) / returns.std(), found[:, 0], atol=1e-5)


def test_classic_methods_learn_from_the_same_digits_as_the_convnet():
    module = registry.module("classic-baselines")
    whole = registry.module("cnn-digits").load_data(SPECS["cnn-digits"].variants["reference"][0], seed=0)

    data = module.load_task("digits", 1440, seed=9)

    assert all(np.array_equal(a, b) for a, b in zip(whole, data, strict=True))


def test_tabular_rows_are_held_out_and_follow_the_rule_of_the_dense_net():
    module = registry.module("classic-baselines")

    data = module.load_task("tabular", 512, seed=0)

    whole = registry.module("mlp-tabular").load_data(Variant(batch_size=1, n_samples=512 + 4096), seed=0)
    assert np.array_equal(whole.x, np.concatenate([data.x, data.x_test]))
    assert np.array_equal(whole.y, np.concatenate([data.y, data.y_test]))


@pytest.mark.parametrize("variant", [v for p in PROFILES for v in SPECS["gpt-decode"].variants[p]])
def test_as_many_bytes_as_the_weights_have_form_a_matrix_of_1024_columns(variant: Variant):
    assert 0 == registry.module("gpt-decode").n_weights(variant.params) % 1024


@pytest.mark.keras
def test_smoke_models_map_a_batch_to_the_declared_shape():
    code = """
import json
import numpy
from bench.workloads import registry
from bench.schema import DataUnavailableError

shapes = {}
for name, spec in registry.workloads().items():
    for variant in spec.variants["smoke"] if spec.kind == "model" else ():
        module = registry.module(name)
        model = module.build_model(variant)
        assert not model.compiled, name
        try:
            x = module.load_data(variant, seed=0).x[: variant.batch_size]
        except DataUnavailableError:
            x = numpy.zeros((variant.batch_size, *model.input_shape[1:]), dtype="float32")
        model.compile(**module.compile_arguments(variant))
        shapes.setdefault(name, []).append(list(model.predict_on_batch(x).shape))
print(json.dumps(shapes))
"""

    shapes = frameworks.last_line(code)

    expected = {name: [list(OUTPUT_SHAPES[name])] * len(SPECS[name].variants["smoke"]) for name in OUTPUT_SHAPES}
    assert expected == {name: shapes[name] for name in expected}


@pytest.mark.keras
def test_only_the_read_out_learns_when_the_head_is_tuned():
    code = """
from bench.workloads import registry

module = registry.module("transfer-2000")
by_tuned = {variant.params["tuned"]: module.build_model(variant) for variant in module.SPEC.variants["reference"]}
print(len(by_tuned["head"].trainable_weights), len(by_tuned["all"].trainable_weights))
"""

    n_head, n_all = map(int, frameworks.run(code).splitlines()[-1].split())

    assert 2 == n_head  # kernel and bias of the new layer
    assert n_all > 100


@pytest.mark.keras
@pytest.mark.parametrize("name", PROBES)
def test_probe_stays_finite_over_many_steps(name: str):
    code = f"""
import keras
from bench.workloads import registry

for variant in registry.workloads()[{name!r}].variants["smoke"]:
    step = registry.module({name!r}).build_probe(variant, "float32")
    for _ in range(1000):
        product = step()
    print(float(keras.ops.max(keras.ops.abs(product))))
"""

    peaks = [float(line) for line in frameworks.run(code).splitlines()[-len(SPECS[name].variants["smoke"]) :]]

    assert all(math.isfinite(peak) and 0.1 < peak < 1000 for peak in peaks)


@pytest.mark.keras
def test_overlap_counts_what_is_missed_misnamed_and_invented_as_nothing():
    code = """
import numpy as np
from bench.workloads import registry

module = registry.module("detector")
variant = module.SPEC.variants["smoke"][0]
truth = module.load_data(variant, 0).y[:64]
logits = np.where(truth[..., 5:] == np.arange(3), 9.0, -9.0)
perfect = np.concatenate([np.where(truth[..., :1] > 0, 9.0, -9.0), truth[..., 1:5], logits], axis=-1).astype("float32")
nothing, wrong, halved = perfect.copy(), perfect.copy(), perfect.copy()
nothing[..., 0], wrong[..., 5:], halved[..., 3] = -9, -perfect[..., 5:], perfect[..., 3] / 2
everywhere = perfect.copy()
everywhere[..., 0] = 9
for output in (perfect, nothing, wrong, halved, everywhere):
    (metric,) = module.compile_arguments(variant)["metrics"]
    for part in np.split(np.arange(64), 4):
        metric.update_state(truth[part], output[part])
    print(float(metric.result()))
print(truth[..., 0].mean())
"""

    *found, share = map(float, frameworks.run(code).splitlines()[-6:])

    assert [1.0, 0.0, 0.0, 0.5, share] == pytest.approx(found, abs=1e-5)


@pytest.mark.keras
@pytest.mark.parametrize("backend", BACKENDS)
def test_tokens_written_with_a_cache_are_those_of_whole_sequences(backend: str):
    """The cached steps of a backend against plain attention over the whole sequence, in NumPy."""
    code = """
import importlib, os
from types import SimpleNamespace
import keras
import numpy as np
from bench.workloads import registry

module = registry.module("gpt-decode")
backend = os.environ["KERAS_BACKEND"]
variant = module.SPEC.variants["smoke"][0]
n_heads, width = variant.params["heads"], variant.params["width"]
weights = module.draw_weights(keras, variant.params, 0, "float32")
study = SimpleNamespace(keras=keras, framework=importlib.import_module(backend), variant=variant,
                        cell=SimpleNamespace(backend=backend))
writer = module.Writer(study, weights, "float32")
writer._place = 0  # from an empty cache
host = keras.ops.convert_to_numpy
tokens, logits = [1], []
for _ in range(5):
    tokens.append(int(host(writer.token())[0]))
    logits.append(host(writer.logits)[:, 0])

table, places = host(weights["table"]), host(weights["places"])
norm = lambda x: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
gelu = lambda x: host(keras.ops.gelu(keras.ops.convert_to_tensor(x)))
x = table[tokens[:-1]] + places[:5]
for layer in weights["layers"]:
    layer = {name: host(value) for name, value in layer.items()}
    parts = np.split(norm(x) @ layer["qkv"], 3, axis=-1)
    q, k, v = (part.reshape(5, n_heads, -1).transpose(1, 0, 2) for part in parts)
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(width // n_heads)
    scores = np.where(np.tril(np.ones((5, 5))) > 0, scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    x = x + ((shares / shares.sum(-1, keepdims=True)) @ v).transpose(1, 0, 2).reshape(5, width) @ layer["out"]
    x = x + gelu(norm(x) @ layer["up"]) @ layer["down"]
print(np.abs(norm(x) @ table.T - np.stack(logits)).max(), np.abs(logits).max())
drawn = [weights["table"]] + [value for layer in weights["layers"] for value in layer.values()]
print(sum(host(value).size for value in drawn) - module.n_weights(variant.params))
"""

    difference, left_over = frameworks.run(code, backend=backend).splitlines()[-2:]
    error, size = map(float, difference.split())

    assert error < 1e-4 * size
    assert 0 == int(left_over)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_what_has_a_name_of_its_own_is_there(name: str):
    spec, names = SPECS[name], registry.names(name)
    variants = [variant for profile in PROFILES for variant in spec.variants[profile]]

    for part in names.parts:
        assert part.value in [v.params.get(part.param, getattr(v, part.param, None)) for v in variants], part
    for group in names.alternatives:
        assert len(group) > 1 and set(group) <= {item.id for item in spec.series}
    assert set(names.nets) <= {v.params.get("net") for v in variants} - set(SPECS)
    assert not names.memory or {"peak", "largest"} & {reading.id for reading in spec.readings}


def test_names_take_no_part_in_the_fingerprint():
    name = registry.module_name("resnet50")
    unnamed = re.sub(r"^NAMES = .*\n", "", registry.source_text(name), flags=re.MULTILINE)

    assert "NAMES" not in unnamed
    assert registry.source_hash("resnet50") == registry.fingerprint(
        name, lambda module: unnamed if module == name else registry.source_text(module)
    )
