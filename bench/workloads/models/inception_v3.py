"""Inception-v3 from Keras Applications on random images. Pure: seeded arrays, a model, no files.

Many small convolutions in parallel branches: more operations for each sum than a plain net has.
"""

from __future__ import annotations

from functools import partial

from bench.schema import Variant, Workload
from bench.workloads.parts import images

SPEC = Workload(
    id="inception-v3",
    title="Inception-v3, 299 px",
    summary="Inception-v3 with random weights is trained on, or applied to, 299 px colour images of 1,000 classes.",
    sample_noun="images",
    data_source="pixels and classes drawn by a seeded generator: only speed is asked, and it does not depend on them",
    variants={
        "smoke": (
            # Not trained: another net of this make is, and its graph of a step takes TensorFlow long.
            Variant(mode="infer", batch_size=2, n_samples=4, params={"image_px": 75}, n_blocks=2, steady_limit_s=0.5,
                    headline=True, estimate_s=9.0),
        ),
        "quick": (
            Variant(batch_size=8, n_samples=256, params={"image_px": 299}, n_blocks=3, steady_limit_s=1.0,
                    headline=True, estimate_s=24.0),
            Variant(mode="infer", batch_size=8, n_samples=32, params={"image_px": 299}, n_blocks=3,
                    steady_limit_s=1.0, estimate_s=14.0),
        ),
        "reference": (
            Variant(batch_size=8, n_samples=256, params={"image_px": 299}, steady_limit_s=3.0, headline=True,
                    estimate_s=25.0),
            Variant(mode="infer", batch_size=8, n_samples=16, params={"image_px": 299}, steady_limit_s=3.0,
                    estimate_s=15.0),
        ),
    },
)  # fmt: skip

load_data, compile_arguments = images.load_data, images.compile_arguments
build_model = partial(images.build_model, "InceptionV3")
