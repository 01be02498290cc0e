"""Square matrix product through the backend, by size. Pure: seeded tensors, one operation.

The probe behind every network: how many operations a second a device reaches when it is given enough to do,
and how far below that it stays on small matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.schema import Variant, Workload

N_CHAINED = 8
SEED = 0

SPEC = Workload(
    id="matmul",
    title="Matrix product",
    summary="Two square matrices of n rows are multiplied, again and again, from small n to large.",
    kind="probe",
    sample_noun="products",
    data_source="normal random numbers from a fixed seed, already in the device's memory",
    variants={
        "smoke": tuple(Variant(mode="probe", batch_size=1, n_samples=1, params={"n": n}, n_blocks=2,
                               steady_limit_s=0.5, headline=n == 256, estimate_s=5.0) for n in (64, 256)),
        "quick": tuple(Variant(mode="probe", batch_size=1, n_samples=1, params={"n": n}, n_blocks=10,
                               steady_limit_s=1.0, headline=n == 4096, estimate_s=7.0 if n == 4096 else 5.5)
                       for n in (128, 1024, 4096)),
        "reference": (
            *(Variant(mode="probe", batch_size=1, n_samples=1, params={"n": n}, n_blocks=30 if n == 4096 else 10,
                      steady_limit_s=3.0 if n == 4096 else 1.5, headline=n == 4096,
                      estimate_s=10.0 if n == 4096 else 6.0, more_threads=(1, 2, 4, 8) if n == 4096 else (),
                      more_precisions=("mixed_bfloat16", "mixed_float16") if n == 4096 else (),
                      sweep="threads" if n == 4096 else "") for n in (64, 128, 256, 512, 1024, 2048, 4096)),
            # Most of the estimate is for drawing the numbers.
            *(Variant(mode="probe", batch_size=1, n_samples=1, params={"n": n}, n_blocks=10, steady_limit_s=3.0,
                      estimate_s=estimate_s, devices=("gpu",), more_precisions=("tf32", "mixed_bfloat16"))
              for n, estimate_s in ((8192, 15.0), (16_384, 25.0))),
        ),
    },
)  # fmt: skip


def build_probe(variant: Variant, dtype: str) -> Callable[[], Any]:
    """A function that multiplies two n x n tensors of ``dtype`` once and returns the product, on the default device.

    Each product is the next one's left factor, so that a backend that queues work cannot run two at once.
    Entries have mean square 1 on the left and 1/n on the right, which keeps products of order one; the chain
    restarts at every eighth, before rounding or a large eigenvalue can carry it off. Structured factors that
    would keep it in place for ever are avoided: a GPU draws less power, and so clocks higher, on regular bits.
    """
    import numpy as np
    from keras import ops

    n = int(variant.params["n"])
    rng = np.random.default_rng(SEED)
    left = ops.convert_to_tensor(rng.standard_normal((n, n), dtype=np.float32), dtype=dtype)
    right = ops.convert_to_tensor(rng.standard_normal((n, n), dtype=np.float32) / np.float32(n**0.5), dtype=dtype)
    product, n_done = left, 0

    def step() -> Any:
        nonlocal product, n_done
        product = ops.matmul(product if n_done % N_CHAINED else left, right)
        n_done += 1
        return product

    return step


def flop_per_step(variant: Variant) -> float:
    """Multiplications and additions of the textbook product, 2 n^3."""
    return 2.0 * int(variant.params["n"]) ** 3
