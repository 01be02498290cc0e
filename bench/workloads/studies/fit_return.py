"""How long fit, evaluate and predict take to come back once their work is done. Pure but for the net.

In TensorFlow the thread that tunes the input pipeline sleeps for ten milliseconds, then twice as long each time, up to
a minute. Whoever gives up a pipeline waits for its thread: a call at its end, and each epoch of fit at its start, for
that of the epoch before. The thread should be woken there and is not always.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from time import perf_counter
from typing import Any

from bench.schema import Block, Reading, Series, Variant, Workload
from bench.workloads.models import transformer_text
from bench.workloads.parts import fits

LATE_FRAC = 0.1  # of the time that the work took: a call that comes back later than that is late


SPEC = Workload(
    id="fit-return",
    title="When fit comes back",
    summary="A small transformer is trained, evaluated and asked for predictions; the end of each call is timed apart.",
    kind="study",
    sample_noun="calls",
    data_source="that of the transformer's workload; only speed is asked",
    series=(
        Series(id="training", label="from the call of fit to the end of its training"),
        Series(id="return", label="from there until fit has returned"),
        Series(id="training-untuned", label="fit on tf.data without autotuning: to the end of its training"),
        Series(id="return-untuned", label="fit on tf.data without autotuning: until it has returned"),
        Series(id="training-predict", label="predict: to the end of its last batch"),
        Series(id="return-predict", label="predict: until it has returned"),
        Series(id="training-evaluate", label="evaluate: to the end of its last batch"),
        Series(id="return-evaluate", label="evaluate: until it has returned"),
        Series(id="epoch", label="many epochs in one fit: from the first step of an epoch to its end"),
        Series(id="epoch-start", label="many epochs in one fit: from the start of an epoch to its first step"),
        Series(id="epoch-untuned", label="the same on tf.data without autotuning: to its end"),
        Series(id="epoch-start-untuned", label="the same on tf.data without autotuning: to its first step"),
    ),
    readings=(
        Reading(id="late-share", label="calls of fit that came back late, by a tenth of their training", unit="frac"),
        Reading(id="longest-ratio", label="longest return of fit over its own training", unit="ratio"),
        Reading(id="late-share-untuned", label="the same on tf.data without autotuning: late calls", unit="frac"),
        Reading(id="late-share-predict", label="calls of predict that came back late", unit="frac"),
        Reading(id="late-share-evaluate", label="calls of evaluate that came back late", unit="frac"),
        Reading(id="late-share-epoch", label="epochs of one fit that started late, by a tenth of one", unit="frac"),
        Reading(id="lost-share-epoch", label="share of such a fit that passed before first steps", unit="frac"),
        Reading(id="late-share-epoch-untuned", label="on tf.data without autotuning: late epochs", unit="frac"),
        Reading(id="lost-share-epoch-untuned", label="on tf.data without autotuning: share before steps", unit="frac"),
    ),
    # The transformer at the size and batch of its workload's headline training.
    variants={
        profile: tuple(
            Variant(mode="study", batch_size=own.batch_size, n_samples=n_steps * own.batch_size, params=own.params,
                    n_blocks=n_blocks, headline=True, estimate_s=estimate_s)
            for n_steps, n_blocks, estimate_s in sizes for own in [transformer_text.SPEC.headline_training(profile)]
        )
        for profile, sizes in (("smoke", [(2, 3, 10.0)]), ("quick", []), ("reference", [(4, 60, 60.0)]))
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time calls of fit, predict and evaluate in two parts, in turn; in TensorFlow also fit on an untuned pipeline."""
    data = transformer_text.load_data(study.variant, study.seed)
    model = transformer_text.build_model(study.variant)
    model.compile(**transformer_text.compile_arguments(study.variant), jit_compile=study.cell.backend == "jax")
    size = study.cell.batch_size
    arms: dict[str, Callable[[], tuple[float, float]]] = {
        "": lambda: two_parts(study, model.fit, data.x, data.y, batch_size=size),
        "-predict": lambda: two_parts(study, model.predict, data.x, batch_size=size),
        "-evaluate": lambda: two_parts(study, model.evaluate, data.x, data.y, batch_size=size),
    }
    if study.cell.backend == "tensorflow":
        pipeline = fits.untuned(study.framework, data.x, data.y, size)
        arms["-untuned"] = lambda: two_parts(study, model.fit, pipeline)
    for call in arms.values():
        call()
    names, rng = list(arms), random.Random(study.seed)
    for _ in range(study.variant.n_blocks):
        rng.shuffle(names)
        for name in names:
            training_s, return_s = arms[name]()
            study.add(f"training{name}", Block(n_steps=1, seconds=training_s))
            study.add(f"return{name}", Block(n_steps=1, seconds=return_s))
    for name in arms:
        study.read(f"late-share{name}", late_share(ratios(study, f"return{name}", f"training{name}")))
    study.read("longest-ratio", max(ratios(study, "return", "training")))
    time_epochs(study, model, "", data.x, data.y, batch_size=size)
    if study.cell.backend == "tensorflow":
        time_epochs(study, model, "-untuned", pipeline)
    study.observe(model.weights[0].value, model(data.x[:size]))


def time_epochs(study: Any, model: Any, name: str, *data: Any, **options: Any) -> None:
    """Time each epoch of one fit but the first in two parts: what passes before its first step, and the rest."""

    class Epochs(study.keras.callbacks.CallbackList):  # a Callback with a hook per step would make each step wait
        begun: float | None = None
        stepped: float | None = None

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_begin(epoch, logs)
            self.begun, self.stepped = perf_counter(), None

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_begin(batch, logs)
            if self.stepped is None:
                self.stepped = perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(epoch, logs)
            study.sync(model.weights[0].value)
            if epoch > 0:
                study.add(f"epoch-start{name}", Block(n_steps=1, seconds=self.stepped - self.begun))
                study.add(f"epoch{name}", Block(n_steps=1, seconds=perf_counter() - self.stepped))

    n_epochs = study.variant.n_blocks + 1
    callbacks = Epochs(add_history=True, model=model, epochs=n_epochs, verbose=0, steps=None)
    model.fit(*data, epochs=n_epochs, verbose=0, callbacks=callbacks, **options)
    starts, work = (sum(_seconds(study, f"{part}{name}")) for part in ("epoch-start", "epoch"))
    study.read(f"lost-share-epoch{name}", starts / (starts + work))
    study.read(f"late-share-epoch{name}", late_share(ratios(study, f"epoch-start{name}", f"epoch{name}")))


def ratios(study: Any, idle: str, work: str) -> list[float]:
    """Seconds of one series over those of the other, block by block."""
    return [a / b for a, b in zip(_seconds(study, idle), _seconds(study, work), strict=True)]


def late_share(found: list[float]) -> float:
    """Share of the ratios that count as late."""
    return sum(ratio >= LATE_FRAC for ratio in found) / len(found)


def _seconds(study: Any, name: str) -> list[float]:
    return [block.seconds for block in study.series[name]]


def two_parts(study: Any, call: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[float, float]:
    """Seconds of fit (one epoch), predict or evaluate until its work has ended, and from there until it returns."""

    class End(study.keras.callbacks.Callback):  # without a hook per step, which would make each step wait
        at = 0.0

        def on_train_end(self, logs: Any = None) -> None:
            self.at = perf_counter()

        def on_predict_end(self, logs: Any = None) -> None:
            self.at = perf_counter()

        def on_test_end(self, logs: Any = None) -> None:
            self.at = perf_counter()

    end = End()
    start = perf_counter()
    call(*arguments, verbose=0, callbacks=[end], **options)
    return end.at - start, perf_counter() - end.at
