"""ResNet-50 from Keras Applications on random images. Pure: seeded arrays, a model, no files.

Its convolutions are plain and large, so it is the usual yardstick for image nets.
"""

from __future__ import annotations

from functools import partial

from bench.schema import Names, Part, Variant, Workload
from bench.workloads.parts import images

SPEC = Workload(
    id="resnet50",
    title="ResNet-50, 224 px",
    summary="ResNet-50 with random weights is trained on, or applied to, 224 px colour images of 1,000 classes.",
    sample_noun="images",
    data_source="pixels and classes drawn by a seeded generator: only speed is asked, and it does not depend on them",
    variants={
        "smoke": (Variant(batch_size=2, n_samples=4, params={"image_px": 64}, n_blocks=2, steady_limit_s=0.5,
                          headline=True, estimate_s=14.0),),
        "quick": (
            Variant(batch_size=8, n_samples=256, params={"image_px": 224}, n_blocks=3, steady_limit_s=1.0,
                    headline=True, estimate_s=20.0),
            Variant(mode="infer", batch_size=8, n_samples=16, params={"image_px": 224}, n_blocks=3,
                    steady_limit_s=1.0, headline=True, estimate_s=10.0),
            Variant(batch_size=128, n_samples=1_280, params={"image_px": 224}, n_blocks=5, steady_limit_s=1.5,
                    estimate_s=40.0, devices=("gpu",), more_precisions=("tf32", "mixed_bfloat16"), sweep="batch"),
        ),
        "reference": (
            Variant(batch_size=8, n_samples=256, params={"image_px": 224}, steady_limit_s=3.0, headline=True,
                    estimate_s=21.0, more_threads=(1, 2, 4, 8), sweep="batch"),
            Variant(mode="infer", batch_size=8, n_samples=16, params={"image_px": 224}, steady_limit_s=3.0,
                    headline=True, estimate_s=14.0, sweep="batch"),
            # In sixteen bits a CPU without such formats needs minutes at a batch of 8.
            Variant(batch_size=2, n_samples=64, params={"image_px": 224}, n_blocks=5, steady_limit_s=1.5,
                    estimate_s=15.0, more_precisions=("mixed_bfloat16", "mixed_float16"), sweep="batch"),
            Variant(batch_size=32, n_samples=256, params={"image_px": 224}, n_blocks=3, steady_limit_s=1.5,
                    estimate_s=35.0, sweep="batch"),
            Variant(mode="infer", batch_size=1, n_samples=32, params={"image_px": 224}, n_blocks=3,
                    steady_limit_s=1.5, estimate_s=14.0, sweep="batch"),
            *(Variant(batch_size=batch_size, n_samples=64, params={"image_px": 224}, n_blocks=3, steady_limit_s=1.5,
                      estimate_s=estimate_s, sweep="batch")
              for batch_size, estimate_s in ((1, 15.0), (4, 17.0), (16, 24.0))),
            Variant(mode="infer", batch_size=32, n_samples=64, params={"image_px": 224}, n_blocks=3,
                    steady_limit_s=1.5, estimate_s=20.0, sweep="batch"),
            # Batches that fill a GPU, ten steps an epoch: its pipe is empty at the start of each.
            *(Variant(mode=mode, batch_size=batch_size, n_samples=10 * batch_size, params={"image_px": 224},  # type: ignore[arg-type]
                      n_blocks=10, steady_limit_s=3.0, estimate_s=estimate_s, devices=("gpu",),
                      more_precisions=("tf32", "mixed_bfloat16"), sweep="batch")
              for mode, batch_size, estimate_s in (("train", 128, 45.0), ("train", 256, 50.0), ("infer", 256, 30.0))),
        ),
    },
)  # fmt: skip

NAMES = Names(parts=(Part("one-image", "one image at a time", "batch_size", 1),))

load_data, compile_arguments = images.load_data, images.compile_arguments
build_model = partial(images.build_model, "ResNet50")
