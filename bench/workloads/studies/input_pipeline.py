"""JPEG decoding and augmentation in front of a small convnet: who waits for whom, and how many workers it takes.

The JPEG files are drawn and encoded in memory before the clock starts, so that disk and network have no part in it.
Decoding needs Pillow, which Keras itself uses to read images.
"""

from __future__ import annotations

import io
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any

from bench.schema import Block, DataUnavailableError, Names, Reading, Series, Variant, Workload

N_CLASSES = 10
WORKERS = (0, 1, 2, 4)
QUALITY = 85  # of the JPEG files: usual for photographs
MARGIN = 16  # pixels by which an image is resized larger than the crop that is cut from it
N_BLOBS = 24  # pixels a side of the noise an image is enlarged from

FEEDS = {
    **{f"workers-{n}": f"keras.utils.PyDataset, workers={n}" for n in WORKERS},
    "tf-data": "tf.data with parallel map (TensorFlow)",
}

SPEC = Workload(
    id="input-pipeline",
    title="Feeding images",
    summary="A small convnet trains on JPEG files that are decoded, cropped and mirrored while it trains.",
    kind="study",
    sample_noun="images",
    data_source="JPEG files of enlarged random noise with grain, encoded in memory from the run's seed",
    series=(
        Series(id="ready", label="decoded images in memory"),
        *(Series(id=name, label=label) for name, label in FEEDS.items()),
        Series(id="decode", label="decoding and augmenting one batch, alone, one core"),
    ),
    readings=(
        *(
            Reading(id=f"waiting-{name}", label=f"{label}: share of a step above that on ready images", unit="frac")
            for name, label in FEEDS.items()
        ),
        Reading(id="decode-image", label="decoding and augmenting one image", unit="s"),
        Reading(id="workers-needed", label="cores that decode as fast as the net trains on ready images", unit="count"),
        Reading(id="jpeg-size", label="mean size of a JPEG file", unit="bytes"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=8, n_samples=32, params={"pixels": 64, "crop": 32}, n_blocks=3,
                          steady_limit_s=0.3, headline=True, estimate_s=10.0),),
        "quick": (),
        "reference": (
            Variant(mode="study", batch_size=32, n_samples=512, params={"pixels": 128, "crop": 64}, n_blocks=12,
                    steady_limit_s=8.0, headline=True, estimate_s=45.0, sweep="pipeline"),
            Variant(mode="study", batch_size=32, n_samples=384, params={"pixels": 384, "crop": 160}, n_blocks=5,
                    steady_limit_s=10.0, estimate_s=90.0, sweep="pipeline"),
        ),
    },
)  # fmt: skip

NAMES = Names(alternatives=(("workers-0", "workers-1", "workers-2", "workers-4", "tf-data"),))


def measure(study: Any) -> None:
    """Time epochs over ``n_samples`` JPEG files of ``pixels`` a side, cut to (crop, crop, 3) float32 from 0 to 1."""
    import numpy as np

    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise DataUnavailableError("decoding JPEG files needs Pillow; pip install pillow") from error
    size, crop = study.cell.batch_size, int(study.variant.params["crop"])
    rng = np.random.default_rng(study.seed)
    start = perf_counter()
    files = [draw_jpeg(rng, int(study.variant.params["pixels"])) for _ in range(study.cell.n_samples)]
    labels = rng.integers(0, N_CLASSES, len(files)).astype(np.int32)
    ready = np.stack([decode(file, crop, rng) for file in files])
    study.phases["data"] = perf_counter() - start
    model = build_model(study, crop)
    arms: dict[str, Callable[[], Block]] = {"ready": partial(fit, study, model, ready, labels, batch_size=size)}
    for n in WORKERS:
        arms[f"workers-{n}"] = partial(fit, study, model, py_dataset(study, files, labels, crop, workers=n))
    if study.cell.backend == "tensorflow":
        arms["tf-data"] = partial(fit, study, model, tf_dataset(study.framework, files, labels, crop, size))
    arms["decode"] = partial(decode_batch, files[:size], crop, rng)
    study.take(arms)
    for name, value in summary(study.series, size).items():
        study.read(name, value)
    study.read("jpeg-size", statistics.fmean(len(file) for file in files))
    study.observe(model.weights[0].value)


def draw_jpeg(rng: Any, pixels: int) -> bytes:
    """A JPEG file of ``pixels`` a side: soft colour blobs and some grain, to compress about as a photograph does."""
    import numpy as np
    from PIL import Image

    blobs = Image.fromarray(rng.integers(0, 256, (N_BLOBS, N_BLOBS, 3), dtype=np.uint8))
    soft = np.asarray(blobs.resize((pixels, pixels), Image.Resampling.BICUBIC), dtype=np.float32)
    grain = rng.standard_normal((pixels, pixels, 1), dtype=np.float32) * 4.0
    target = io.BytesIO()
    Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8)).save(target, "JPEG", quality=QUALITY)
    return target.getvalue()


def decode(file: bytes, crop: int, rng: Any) -> Any:
    """A training image of shape (crop, crop, 3), float32 from 0 to 1: decoded, resized, cropped and mirrored by chance.

    The image is resized to ``crop`` plus a margin a side, so that the random crop has some room.
    """
    import numpy as np
    from PIL import Image

    side = crop + MARGIN
    with Image.open(io.BytesIO(file)) as image:
        pixels = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
    top, left = rng.integers(0, MARGIN + 1, 2)
    cut = pixels[top : top + crop, left : left + crop]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    return cut.astype(np.float32) / np.float32(255)


def decode_batch(files: Sequence[bytes], crop: int, rng: Any) -> Block:
    """Time one batch of decoding with nothing beside it."""
    start = perf_counter()
    for file in files:
        decode(file, crop, rng)
    return Block(n_steps=1, seconds=perf_counter() - start)


def py_dataset(study: Any, files: Sequence[bytes], labels: Any, crop: int, *, workers: int) -> Any:
    """A Keras data set that decodes in the training thread (0 workers) or in that many threads beside it."""
    import numpy as np

    size, seed = study.cell.batch_size, study.seed

    class Jpegs(study.keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(files) // size

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            rng = np.random.default_rng((seed, index))  # one for each batch: generators are not safe to share
            rows = slice(index * size, (index + 1) * size)
            return np.stack([decode(file, crop, rng) for file in files[rows]]), labels[rows]

    return Jpegs(workers=workers, use_multiprocessing=False, max_queue_size=max(4, 2 * workers))


def tf_dataset(tf: Any, files: Sequence[bytes], labels: Any, crop: int, size: int) -> Any:
    """The same work in TensorFlow's own operations, on as many threads as it sees fit, two batches ahead."""
    side = crop + MARGIN

    def load(file: Any, label: Any) -> tuple[Any, Any]:
        image = tf.image.resize(tf.io.decode_jpeg(file, channels=3), (side, side))
        image = tf.image.random_crop(image, (crop, crop, 3))
        return tf.image.random_flip_left_right(image) / 255.0, label

    data = tf.data.Dataset.from_tensor_slices((list(files), labels))
    return data.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(size, drop_remainder=True).prefetch(2)


def build_model(study: Any, crop: int) -> Any:
    """Images (batch, crop, crop, 3) to logits (batch, 10): four strided convolutions, compiled with Adam."""
    keras = study.keras
    widths = (16, 32, 64, 128)
    model = keras.Sequential(
        [
            keras.Input((crop, crop, 3)),
            *(keras.layers.Conv2D(n, 3, strides=2, padding="same", activation="relu") for n in widths),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(N_CLASSES),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=study.cell.backend == "jax",
    )
    return model


def fit(study: Any, model: Any, *data: Any, **options: Any) -> Block:
    """One epoch, from its start until the device has finished its last step.

    Filling an empty queue is part of it; stopping the workers, which Keras gives a tenth of a second, is not.
    """
    n_steps = study.cell.n_samples // study.cell.batch_size
    at: dict[str, float] = {}

    class Clock(study.keras.callbacks.CallbackList):  # a Callback with a hook per step would make each step wait
        n_done = 0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_begin(epoch, logs)
            at["begin"] = perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            self.n_done += 1
            if self.n_done == n_steps:
                study.sync(logs["loss"])
                at["end"] = perf_counter()

    callbacks = Clock(add_history=True, model=model, epochs=1, verbose=0, steps=None)
    model.fit(*data, verbose=0, callbacks=callbacks, **options)
    return Block(n_steps=n_steps, seconds=at["end"] - at["begin"])


def summary(series: Mapping[str, Sequence[Block]], batch_size: int) -> dict[str, float]:
    """Shares of a step spent waiting, seconds to decode an image, and cores that would keep up; from medians.

    A share is how much of the fed step the same step on ready images leaves over; 0 where feeding cost nothing. On
    a CPU, workers and training share the cores, so it holds the cores' loss too.
    """
    step_s = {
        name: statistics.median(block.seconds / block.n_steps for block in blocks) for name, blocks in series.items()
    }
    shares = {f"waiting-{name}": max(0.0, 1.0 - step_s["ready"] / step_s[name]) for name in FEEDS if name in step_s}
    return shares | {
        "decode-image": step_s["decode"] / batch_size,
        "workers-needed": float(math.ceil(step_s["decode"] / step_s["ready"])),
    }
