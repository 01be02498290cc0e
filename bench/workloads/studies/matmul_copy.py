"""A matrix product with its input on the device, and with the input copied there and the result back. Pure.

A product of n x n matrices does n times as much arithmetic as it moves; one of a few rows hardly more than it moves,
since every weight is read for each row. So the copy, which a timer in a loop leaves out, decides small and thin ones.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Names, Part, Reading, Series, Variant, Workload

SHAPES = ((16, 16), (128, 128), (512, 512), (2048, 2048), (1, 2048), (32, 2048))  # rows, n
GPU_SHAPES = ((8192, 8192), (1, 8192), (32, 8192), (16_384, 16_384))  # too large to be timed often on a CPU


SPEC = Workload(
    id="matmul-copy",
    title="Matrix product with and without copies",
    summary="A float32 matrix of some rows is multiplied by a square one that lies on the device.",
    kind="study",
    sample_noun="rows",
    data_source="normal random numbers from the run's seed",
    series=(
        Series(id="resident", label="input on the device, result left there"),
        Series(id="copied", label="NumPy array in, NumPy array out"),
    ),
    readings=(
        Reading(id="rate-resident", label="arithmetic, input on the device", unit="flop_per_s"),
        Reading(id="rate-copied", label="arithmetic, with both copies in the time", unit="flop_per_s"),
        Reading(id="per-byte", label="operations for each byte of the three matrices", unit="ratio"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=2, n_samples=2, params={"rows": 2, "n": 32}, n_blocks=3,
                          steady_limit_s=0.2, headline=True, estimate_s=7.0),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=rows, n_samples=rows, params={"rows": rows, "n": n}, n_blocks=30,
                    steady_limit_s=4.0, headline=(rows, n) == (512, 512), estimate_s=14.0, devices=devices,  # type: ignore[arg-type]
                    sweep="shape")
            for shapes, devices in ((SHAPES, ()), (GPU_SHAPES, ("gpu",))) for rows, n in shapes
        ),
    },
)  # fmt: skip

NAMES = Names(
    parts=(
        Part("one-row", "one row", "rows", 1),
        Part("thin", "32 rows", "rows", 32),
        Part("square", "2,048 rows", "rows", 2048),
        Part("tiny", "16 rows", "rows", 16),
    )
)


def measure(study: Any) -> None:
    """Time products of shapes (rows, n) and (n, n), both ways in turn, after holding the results against NumPy's."""
    import numpy as np

    ops, (rows, n) = study.keras.ops, (int(study.variant.params[name]) for name in ("rows", "n"))
    rng = np.random.default_rng(study.seed)
    host = rng.standard_normal((rows, n), dtype=np.float32)
    square = rng.standard_normal((n, n), dtype=np.float32) / np.float32(n**0.5)
    weights, rows_on_device = ops.convert_to_tensor(square), ops.convert_to_tensor(host)
    check(ops.convert_to_numpy(ops.matmul(rows_on_device, weights)), host, square)
    study.time(
        {
            "resident": lambda: ops.matmul(rows_on_device, weights),
            "copied": lambda: ops.convert_to_numpy(ops.matmul(ops.convert_to_tensor(host), weights)),
        }
    )
    for name in ("resident", "copied"):
        study.read(f"rate-{name}", flop(rows, n) / study.median_s(name))
    study.read("per-byte", flop(rows, n) / (4 * (2 * rows * n + n * n)))
    study.observe(weights, ops.matmul(rows_on_device, weights))


def check(result: Any, rows: Any, square: Any) -> None:
    """Hold a product against NumPy's in float64, on the first rows.

    Raises:
        ArithmeticError: it differs by more than single precision does.
    """
    import numpy as np

    n_checked = 8
    expected = rows[:n_checked].astype(np.float64) @ square.astype(np.float64)
    found = float(np.abs(np.asarray(result[:n_checked], dtype=np.float64) - expected).max())
    if not found <= 1e-3 * float(np.abs(expected).max()):
        raise ArithmeticError(f"the product differs from NumPy's by {found:.2g}")


def flop(rows: int, n: int) -> float:
    """Operations of the product: a multiplication and an addition for each term of each sum."""
    return 2.0 * rows * n * n
