"""Nets written by hand beside those of Keras: as many parameters, the same losses, the same moving averages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.report.facts import lookup
from bench.schema import BACKENDS
from bench.workloads import registry
from bench.workloads.parts import by_hand
from bench.workloads.studies import raw_models
from tests import frameworks

REPOSITORY = Path(__file__).parent.parent
SIZES = {
    "resnet50": {"image_px": 64},
    "mobilenet-v2": {"image_px": 64},
    "lstm-text": {"units": 16, "length": 12},
    "transformer-text": {"width": 32, "layers": 2, "heads": 2, "length": 12},
}
# Both sides take the same steps from the same weights; then what they learned is compared.
CODE = """
import json, sys
import keras, numpy as np
from types import SimpleNamespace
from bench.workloads.parts import by_hand
from bench.schema import Variant
from bench.workloads.studies import raw_models

sizes, backend, found = json.loads(sys.argv[1]), keras.backend.backend(), {}
for net, params in sizes.items():
    variant = Variant(mode="study", batch_size=16, n_samples=48, params={"net": net, **params})
    data = raw_models.NETS[net].load_data(variant, 0)
    keras.utils.set_random_seed(0)
    cell = SimpleNamespace(backend=backend, device="cpu", batch_size=16)
    study = SimpleNamespace(keras=keras, variant=variant, cell=cell)
    model = raw_models.build_model(study, net, jit_compile=backend == "jax")
    peer = raw_models.build_peer(study, net, raw_models.named_weights(model))
    turned = data.x.transpose(0, 3, 1, 2).copy() if backend == "torch" and net in raw_models.IMAGE_NETS else data.x
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    assert abs(rate - by_hand.RATES[net]) < 1e-6 * rate, net
    try:
        raw_models.check_equal_work(study, {"fit": model}, {"raw": peer}, (data.x, turned, data.y))
        reason = ""
    except ArithmeticError as error:
        reason = str(error)
    after, moving = raw_models.named_weights(model), peer.moving()
    assert {path for path in after if "/moving_" in path} == moving.keys(), net
    apart = {"mean": 0.0, "variance": 0.0}
    for path, value in moving.items():
        name, _, statistic = path.rpartition("_")
        variance = after[f"{name}_variance"]
        scale = variance if statistic == "variance" else np.sqrt(variance)
        apart[statistic] = max(apart[statistic], float((np.abs(value - after[path]) / scale).max()))
    n_trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    found[net] = {"n_params": [n_trained, int(peer.n_params)], "apart": apart, "reason": reason}
print(json.dumps(found))
"""


@pytest.mark.keras
@pytest.mark.parametrize("backend", BACKENDS)
def test_both_sides_learn_the_same_from_the_same_weights(backend: str):
    for net, found in frameworks.last_line(CODE, json.dumps(SIZES), backend=backend).items():
        by_keras, by_peer = found["n_params"]
        assert by_keras == by_peer > 0, net
        assert "" == found["reason"], net
        assert found["apart"]["mean"] < 0.01, net
        # PyTorch's layer keeps the unbiased variance, which differs where few pixels are left in a channel.
        assert found["apart"]["variance"] < (0.01 if backend != "torch" else 0.03), net


@pytest.mark.parametrize(
    "by_hand_losses", [[2.1, 1.9, 1.7], [2.0, 1.9, 1.81], [2.0, 2.1, 2.2], [2.0, 2.0, 2.0], [float("nan")] * 3]
)
def test_losses_of_other_work_are_refused(by_hand_losses: list[float]):
    raw_models.compare_losses([2.0, 1.9, 1.7], [2.0001, 1.9003, 1.6999], "raw")

    with pytest.raises(ArithmeticError, match="the losses differ"):
        raw_models.compare_losses([2.0, 1.9, 1.7], by_hand_losses, "raw")


COMPILED = """
import os
import keras
from types import SimpleNamespace
from bench.schema import Variant
from bench.workloads.studies import raw_models

params = {"units": 16, "length": 12}
variant = Variant(mode="study", batch_size=16, n_samples=48, params={"net": "lstm-text", **params})
cell = SimpleNamespace(backend="torch", device="cpu", batch_size=16)
study = SimpleNamespace(keras=keras, variant=variant, cell=cell)
data = raw_models.NETS["lstm-text"].load_data(variant, 0)
models = {
    "fit": raw_models.build_model(study, "lstm-text", jit_compile=False),
    "fit-compiled": raw_models.build_model(study, "lstm-text", jit_compile=True),
}
models["fit-compiled"].set_weights(models["fit"].get_weights())
weights = raw_models.named_weights(models["fit"])
peers = {"raw-compiled": raw_models.build_peer(study, "lstm-text", weights, is_compiled=True)}
seconds = raw_models.check_equal_work(study, models, peers, (data.x, data.x, data.y))
print(sorted(seconds), models["fit-compiled"].jit_compile)
"""


@pytest.mark.keras
@pytest.mark.skipif(not raw_models.has_compiler(os.environ), reason="torch.compile needs a C++ compiler")
def test_what_torch_compile_makes_learns_the_same(tmp_path: Path):
    printed = frameworks.run(COMPILED, backend="torch", variables={"TORCHINDUCTOR_CACHE_DIR": str(tmp_path)})

    assert "['fit', 'fit-compiled', 'raw-compiled'] True" == printed.splitlines()[-1]


def test_a_compiler_is_looked_for_where_torch_compile_looks(tmp_path: Path):
    own = tmp_path / "own-compiler"
    own.touch(mode=0o755)

    assert raw_models.has_compiler({"CXX": str(own)})
    assert not raw_models.has_compiler({"CXX": str(tmp_path / "missing")})


def test_sizes_are_those_of_the_headline_training_variants():
    for variant in raw_models.SPEC.variants["reference"]:
        net = variant.params["net"]
        own = [v for v in registry.workload(net).variants["reference"] if v.mode == "train" and v.headline][0]
        params = {name: value for name, value in variant.params.items() if name != "net"}

        assert (own.batch_size, own.params) == (variant.batch_size, params)


def test_each_epoch_leaves_a_step_to_time_and_one_to_compare():
    for profile in ("smoke", "reference"):
        for variant in raw_models.SPEC.variants[profile]:
            n_steps = variant.n_samples // variant.batch_size

            assert 1 <= raw_models.N_SKIPPED[variant.params["net"]] < n_steps


def test_every_net_has_facts_of_its_own():
    names = lookup.names(registry.workloads())

    for net in raw_models.NETS:
        for backend in BACKENDS:
            assert f"raw-models-{net}-fit-{backend}-cpu-ratio" in names


def test_a_change_of_a_net_written_by_hand_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch):
    before = registry.source_hash("raw-models")
    source, changed = registry.source_text, "bench.workloads.parts.by_hand.on_jax"
    monkeypatch.setattr(registry, "source_text", lambda name: "A = 1" if name == changed else source(name))
    registry.source_hash.cache_clear()
    after = registry.source_hash("raw-models")
    registry.source_hash.cache_clear()

    assert before != after


def test_automatic_layer_numbers_start_anew():
    layers = [
        SimpleNamespace(name=name, weights=[SimpleNamespace(path=f"net/{name}/kernel")], get_weights=lambda: [0])
        for name in ("dense_7", "dense_8", "Conv_1", "conv2_block1_1_conv")
    ]

    found = raw_models.named_weights(SimpleNamespace(layers=layers))

    assert ["dense/kernel", "dense_1/kernel", "Conv_1/kernel", "conv2_block1_1_conv/kernel"] == list(found)


def test_mobilenet_has_seventeen_blocks_of_which_four_halve_the_image():
    assert 17 == len(by_hand.MOBILENET_BLOCKS)
    assert 4 == sum(stride == 2 for _, stride in by_hand.MOBILENET_BLOCKS)
