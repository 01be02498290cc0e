"""One-stage detector on drawn shapes, trained to a mean overlap on held-out images. Pure: drawn arrays and a model.

A grid cell says whether an object's centre lies in it, where its box is and what it is, as the fast detectors do, in
one pass and without a pretrained base. The images never change, because a job that stops at a quality must be the
same job everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Target, Variant, Workload

if TYPE_CHECKING:
    import keras

IMAGE_PX = 64
GRID = 8  # cells a side, of 8 px each
N_CLASSES = 3  # disc, rectangle, triangle
SIDE_PX = (10, 24)  # smallest and largest side of an object's box
N_TEST = 512
DATA_SEED, TEST_SEED = 0, 1

SPEC = Workload(
    id="detector",
    title="Object detector on drawn shapes",
    summary="A one-stage detector learns to find, box and name discs, rectangles and triangles in 64 px images.",
    sample_noun="images",
    data_source="up to four shapes an image, drawn over noise by a generator of fixed seed; 512 more are held out",
    target=Target(metric="overlap", at_least=0.7, max_epochs=25),
    variants={
        "smoke": (Variant(batch_size=16, n_samples=64, n_job_epochs=1, n_blocks=2, steady_limit_s=0.5,
                          headline=True, estimate_s=9.0),),
        "quick": (Variant(mode="infer", batch_size=32, n_samples=256, n_blocks=5, steady_limit_s=0.5,
                          headline=True, estimate_s=7.0),),
        "reference": (
            Variant(batch_size=32, n_samples=4_096, n_blocks=15, steady_limit_s=3.0, headline=True, estimate_s=38.0),
            Variant(mode="infer", batch_size=32, n_samples=256, n_blocks=15, steady_limit_s=2.0, headline=True,
                    estimate_s=9.0),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Images of shape (n_samples, 64, 64, 3), float32 from 0 to 1, and grids of shape (n_samples, 8, 8, 6), float32.

    A grid cell holds: 1 if an object's centre lies in it, the centre's place in the cell (x, y, from 0 to 1), the
    box's width and height as shares of the image, and the class number. Cells without an object are zero.
    ``seed`` has no part in it.
    """
    return Data(*_draw(variant.n_samples, DATA_SEED), *_draw(N_TEST, TEST_SEED))


def _draw(n: int, seed: int) -> tuple[Any, Any]:
    """Images with up to one object per quarter, so that no two centres share a cell, and their grids."""
    import numpy as np

    rng = np.random.default_rng(seed)
    images = rng.random((n, IMAGE_PX, IMAGE_PX, 3), dtype=np.float32) * np.float32(0.3)
    grids = np.zeros((n, GRID, GRID, 6), dtype=np.float32)
    rows, columns = np.mgrid[:IMAGE_PX, :IMAGE_PX].astype(np.float32) + np.float32(0.5)
    half_px, cell_px = IMAGE_PX // 2, IMAGE_PX // GRID
    for top in (0, half_px):
        for left in (0, half_px):
            there = rng.random(n) < 0.5
            kind = rng.integers(0, N_CLASSES, n)
            width, height = rng.uniform(*SIDE_PX, (2, n)).astype(np.float32)
            height = np.where(kind == 0, width, height)  # a disc's box is square
            x, y = rng.uniform(0, half_px, (2, n)).astype(np.float32)
            x = np.clip(left + x, width / 2, IMAGE_PX - width / 2)  # no box leaves the image
            y = np.clip(top + y, height / 2, IMAGE_PX - height / 2)
            across = (columns - x[:, None, None]) / width[:, None, None]  # (n, 64, 64), -0.5 to 0.5 inside the box
            down = (rows - y[:, None, None]) / height[:, None, None]
            inside = np.stack([
                across**2 + down**2 <= 0.25,
                (np.abs(across) <= 0.5) & (np.abs(down) <= 0.5),
                (np.abs(down) <= 0.5) & (np.abs(across) <= (down + 0.5) / 2),
            ])  # fmt: skip
            shown = inside[kind, np.arange(n)] & there[:, None, None]
            colour = rng.uniform(0.4, 1.0, (n, 1, 1, 3)).astype(np.float32)
            images = np.where(shown[..., None], colour, images)
            i, j = (y // cell_px).astype(int), (x // cell_px).astype(int)
            shares = (x / cell_px - j, y / cell_px - i, width / IMAGE_PX, height / IMAGE_PX)
            grids[np.arange(n), i, j] = np.stack([there, *shares, kind], axis=-1) * there[:, None]
    return images, grids


def build_model(variant: Variant) -> keras.Model:
    """Convolutions down to the grid. Input (batch, 64, 64, 3), output (batch, 8, 8, 8): object, box, three classes.

    Object and classes are logits; the box is four numbers from 0 to 1, in the order of the grid.
    """
    import keras

    def convolution(x: Any, filters: int, strides: int) -> Any:
        x = keras.layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))

    images = keras.Input((IMAGE_PX, IMAGE_PX, 3))
    x = convolution(images, 32, 2)  # (batch, 32, 32, 32)
    x = convolution(x, 64, 2)  # (batch, 16, 16, 64)
    x = convolution(x, 128, 2)  # (batch, 8, 8, 128)
    x = convolution(x, 128, 1)
    x = convolution(x, 128, 1)  # the cell sees 63 px around it, more than the largest object
    found = keras.layers.Conv2D(1, 1, name="object")(x)
    box = keras.layers.Conv2D(4, 1, activation="sigmoid", name="box")(x)
    kind = keras.layers.Conv2D(N_CLASSES, 1, name="kind")(x)
    return keras.Model(images, keras.layers.Concatenate(dtype="float32")([found, box, kind]), name="detector")


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam; one loss for object, box and class; the mean overlap, which the target reads."""
    import keras

    return {"optimizer": keras.optimizers.Adam(learning_rate=1e-3), "loss": _loss, "metrics": [_mean_overlap()]}


def _loss(truth: Any, output: Any) -> Any:
    """Cross-entropy of the object in every cell; box and class count where an object is. Shape (batch,)."""
    from keras import ops

    there = truth[..., 0]
    found = ops.binary_crossentropy(there, output[..., 0], from_logits=True)  # (batch, 8, 8)
    # The square root makes an error of so many pixels weigh more on a small side than on a large one.
    box = ops.sum(ops.square(truth[..., 1:3] - output[..., 1:3]), axis=-1)
    box += 5 * ops.sum(ops.square(ops.sqrt(truth[..., 3:5] + 1e-6) - ops.sqrt(output[..., 3:5] + 1e-6)), axis=-1)
    kind = ops.sparse_categorical_crossentropy(ops.cast(truth[..., 5], "int32"), output[..., 5:], from_logits=True)
    return ops.sum(found + there * (5 * box + kind), axis=(1, 2))


def overlaps(truth: Any, output: Any) -> tuple[Any, Any]:
    """Overlap of each cell's boxes, and which cells count: those with an object, in truth or by the network's word.

    An object that is missed or misnamed, and one that is not there, count as an overlap of 0; so the mean over cells
    can only be high if all four of finding, not inventing, boxing and naming are good. Both of shape (batch, 8, 8).
    """
    from keras import ops

    there, said = truth[..., 0] > 0.5, output[..., 0] > 0
    named = ops.equal(ops.cast(truth[..., 5], "int32"), ops.cast(ops.argmax(output[..., 5:], axis=-1), "int32"))
    shared = 1.0
    for place, size in ((1, 3), (2, 4)):  # along x, along y; both centres lie in one cell of 1 / 8 of the image
        low = [box[..., place] / GRID - box[..., size] / 2 for box in (truth, output)]
        high = [box[..., place] / GRID + box[..., size] / 2 for box in (truth, output)]
        shared = shared * ops.maximum(ops.minimum(*high) - ops.maximum(*low), 0.0)
    areas = [box[..., 3] * box[..., 4] for box in (truth, output)]
    overlap = shared / (areas[0] + areas[1] - shared + 1e-9)
    right = ops.logical_and(ops.logical_and(there, said), named)
    return ops.where(right, overlap, 0.0), ops.cast(ops.logical_or(there, said), "float32")


def _mean_overlap() -> Any:
    """Keras metric "overlap": intersection over union, averaged over the cells that count."""
    import keras

    class MeanOverlap(keras.metrics.Metric):
        """Sums of overlaps and of counted cells over the batches seen."""

        def __init__(self) -> None:
            super().__init__(name="overlap")
            self.overlap = self.add_variable((), "zeros", name="overlap")
            self.n_cells = self.add_variable((), "zeros", name="n_cells")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            overlap, counts = overlaps(y_true, keras.ops.cast(y_pred, "float32"))
            self.overlap.assign_add(keras.ops.sum(overlap * counts))
            self.n_cells.assign_add(keras.ops.sum(counts))

        def result(self) -> Any:
            return self.overlap / keras.ops.maximum(self.n_cells, 1.0)

    return MeanOverlap()
