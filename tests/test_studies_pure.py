"""What studies compute without a framework: break-even points, padding, layouts, comparisons of bits."""

from __future__ import annotations

import itertools
import sys
import types

import numpy as np
import pytest

from bench.workloads.studies import (
    compile_tax,
    determinism,
    layer_width,
    lstm_switches,
    matmul_copy,
    memory,
    memory_optimizers,
    raw_framework,
    request_gap,
)


def test_compiling_pays_back_where_both_totals_are_equal():
    first_a, step_a, first_b, step_b = 1.0, 0.5, 7.0, 0.2

    n = compile_tax.pays_after(first_a, step_a, first_b, step_b)

    assert first_a + (n - 1) * step_a == pytest.approx(first_b + (n - 1) * step_b)
    assert 21 == pytest.approx(n)


@pytest.mark.parametrize("step_b", [0.5, 0.6])
def test_compiling_never_pays_back_when_its_steps_are_no_faster(step_b: float):
    assert compile_tax.pays_after(1.0, 0.5, 7.0, step_b) is None


def test_a_quicker_first_step_pays_at_once_unless_the_others_are_slower():
    assert 1.0 == compile_tax.pays_after(2.0, 0.5, 1.0, 0.4)
    assert compile_tax.pays_after(2.0, 0.5, 1.0, 0.6) is None


def test_shapes_differ_while_their_area_stays():
    shapes = list(compile_tax.shapes_of_one_area())
    wanted = max(v.n_blocks + v.params["shapes"] for v in compile_tax.SPEC.variants["reference"])

    assert len(shapes) == len(set(shapes)) >= wanted
    assert all(height != width and abs(height * width - 1024) <= 31 for height, width in shapes)


def test_only_tensorflow_has_a_graph_and_torch_compiles_only_with_a_compiler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compile_tax, "has_compiler", lambda: False)

    by_backend = {backend: set(compile_tax.arms(backend, "small")) for backend in ("tensorflow", "jax", "torch")}

    assert {"eager", "graph", "compiled"} == by_backend["tensorflow"]
    assert {"eager", "compiled"} == by_backend["jax"]
    assert {"eager"} == by_backend["torch"]
    monkeypatch.setattr(compile_tax, "has_compiler", lambda: True)
    assert "compiled" in compile_tax.arms("torch", "small")


def test_padding_is_zeros_at_the_masked_end_and_at_most_half_of_a_row():
    x = np.ones((7, 6, 2), dtype=np.float32)

    left, right = (lstm_switches.padded(x, f"mask-{side}")[..., 0] for side in ("left", "right"))

    assert np.array_equal(left, right[:, ::-1])
    assert np.array_equal(left, np.sort(left, axis=1)), "zeros come first, then data"
    assert [0, 1, 2, 3, 0, 1, 2] == (left == 0).sum(axis=1).tolist()
    assert np.array_equal(x, lstm_switches.padded(x, "plain")) and x.min() == 1


@pytest.fixture
def fused_module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module with one operation that works and one that refuses."""
    parent, module = types.ModuleType("pretended"), types.ModuleType("pretended.operations")

    def refuse() -> None:
        raise NotImplementedError

    module.works, module.refuses = (lambda x: x + 1), refuse
    parent.operations = module
    monkeypatch.setitem(sys.modules, "pretended", parent)
    monkeypatch.setitem(sys.modules, "pretended.operations", module)
    return module


def test_fused_path_is_seen_only_when_its_operation_returns(fused_module: types.ModuleType):
    seen = lstm_switches.watch_fused(("pretended.operations", ("works", "refuses", "missing")))

    with pytest.raises(NotImplementedError):
        fused_module.refuses()
    assert [] == seen
    assert 3 == fused_module.works(2)
    assert ["works"] == seen


def test_only_a_left_mask_may_be_refused_and_only_for_its_padding():
    def fail(text: str):
        raise ValueError(text)

    assert lstm_switches.is_refused("mask-left", lambda: fail("not right-padded sequences"))
    assert not lstm_switches.is_refused("mask-left", lambda: None)
    for switch, text in (("relu", "not right-padded sequences"), ("mask-left", "out of memory")):
        with pytest.raises(ValueError, match=text):
            lstm_switches.is_refused(switch, lambda text=text: fail(text))


def test_every_switch_has_arguments_and_a_label():
    assert list(lstm_switches.LABELS) == list(lstm_switches.ARGUMENTS)
    assert "plain" == lstm_switches.SPEC.series[0].id


def test_dense_kernel_of_another_layout_gives_the_same_product():
    rng = np.random.default_rng(0)
    shapes = [(3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (1024, 5), (5,)]
    weights = [rng.standard_normal(shape) for shape in shapes]
    image = rng.standard_normal((4, 4, 64))  # rows, columns, channels

    turned = raw_framework.as_torch("cnn", weights)

    assert (32, 1, 3, 3) == turned[0].shape
    assert weights[0][1, 2, 0, 7] == turned[0][7, 0, 1, 2]
    by_keras, by_torch = image.ravel() @ weights[4], turned[4] @ image.transpose(2, 0, 1).ravel()
    assert np.allclose(by_keras, by_torch)


def test_kernels_of_rows_are_only_turned():
    weights = [np.arange(6.0).reshape(2, 3), np.zeros(3)]

    kernel, bias = raw_framework.as_torch("mlp", weights)

    assert np.array_equal(weights[0].T, kernel) and bias is not weights[0]


def test_bits_tell_what_numbers_do_not():
    zero, minus, nan = (np.array([value], dtype=np.float32) for value in (0.0, -0.0, np.nan))

    assert determinism.same_bits([zero, nan], [zero.copy(), nan.copy()])
    assert not determinism.same_bits([zero], [minus])
    assert not determinism.same_bits([zero], [zero, zero])
    assert not determinism.same_bits([zero], [zero.astype(np.float64)])


def test_largest_difference_is_over_all_arrays():
    first, second = [np.zeros(2), np.array([[1.0, -4.0]])], [np.full(2, 0.5), np.array([[1.0, -1.0]])]

    assert 3.0 == determinism.largest_difference(first, second)


def test_new_shapes_never_run_out_before_the_blocks_do():
    for profile, variants in compile_tax.SPEC.variants.items():
        for variant in variants:
            n_left = len(list(itertools.islice(compile_tax.shapes_of_one_area(), variant.params["shapes"], None)))
            assert n_left >= variant.n_blocks, profile


class PretendedVariable:
    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.shape, self.dtype = shape, dtype


def test_bytes_of_variables_follow_from_shape_and_type():
    variables = [
        PretendedVariable((3, 4), "float32"),
        PretendedVariable((5,), "bfloat16"),
        PretendedVariable((), "int64"),
    ]

    assert 48 + 10 + 8 == memory.n_bytes(variables)


def test_the_drivers_line_is_read_in_mebibytes_and_its_gaps_stay_gaps():
    assert (1024 * 2**20, 143771 * 2**20) == memory.parsed("1024, 143771\n")
    assert (None, 80 * 2**20) == memory.parsed("[N/A], 80\n")
    assert (None, None) == memory.parsed("") == memory.parsed("no devices were found\n")


def test_peak_of_this_process_is_in_bytes():
    pytest.importorskip("resource")

    assert 2**23 < memory.resident_peak_bytes() < 2**43


@pytest.mark.parametrize("gap_s", request_gap.GAPS_S.values())
def test_a_request_counts_only_after_one_that_does_not_and_the_pause(monkeypatch: pytest.MonkeyPatch, gap_s: float):
    happened: list[object] = []
    monkeypatch.setattr("time.sleep", happened.append)

    def request() -> float:
        happened.append("request")
        return float(len(happened))

    block = request_gap.after_pause(request, gap_s)

    assert ["request", *([gap_s] if gap_s else []), "request"] == happened
    assert (1, float(len(happened))) == (block.n_steps, block.seconds), "the second one's time"


def test_a_pause_goes_with_each_series():
    assert [item.id for item in request_gap.SPEC.series] == list(request_gap.GAPS_S)
    assert sorted(request_gap.GAPS_S.values()) == list(request_gap.GAPS_S.values()), "the shortest is the baseline"


def test_a_product_is_held_against_numpy():
    rng = np.random.default_rng(0)
    rows, square = rng.standard_normal((3, 5)).astype(np.float32), rng.standard_normal((5, 5)).astype(np.float32)

    matmul_copy.check(rows @ square, rows, square)
    for wrong in (rows @ square.T, rows @ square * 1.01, np.full((3, 5), np.nan)):
        with pytest.raises(ArithmeticError, match="differs from NumPy's"):
            matmul_copy.check(wrong, rows, square)


def test_a_thin_product_does_little_arithmetic_for_each_byte():
    assert 2 * 3 * 5 * 5 == matmul_copy.flop(3, 5)
    shapes = {(v.params["rows"], v.params["n"]) for v in matmul_copy.SPEC.variants["reference"]}
    assert {(1, 2048), (32, 2048), (2048, 2048)} <= shapes


def test_operations_of_a_dense_step_are_counted_by_hand():
    # Two samples; three layers of 4 x 4 and one of 4 x 8. Forward 2 x 2 x (48 + 32) = 320; the gradients of the
    # weights as much; those of the inputs as much without the first layer: 2 x 2 x (32 + 32) = 256.
    assert 320 + 320 + 256 == layer_width.flop(4, 2)


def test_widths_are_what_their_names_say():
    for variants in layer_width.SPEC.variants.values():
        for variant in variants:
            widths = {name: int(variant.params["width"]) - less for name, less in layer_width.LESS.items()}
            assert 0 == widths["multiple-64"] % 64
            assert (0, True) == (widths["multiple-8"] % 8, widths["multiple-8"] % 64 > 0)
            assert (0, True) == (widths["multiple-4"] % 4, widths["multiple-4"] % 8 > 0)
            assert 1 == widths["odd"] % 2


def test_each_optimizer_has_a_cell():
    cells = {variant.params["optimizer"] for variant in memory_optimizers.SPEC.variants["reference"]}
    assert set(memory_optimizers.OPTIMIZERS) == cells
