"""Three methods without a neural net beside the small net of the same task: seconds to fit, accuracy held out.

Tables and small pictures do not always need deep learning, and what does not use a GPU cannot be sped up by one. The
digits are those of cnn-digits with the same split, the tabular rows those of mlp-tabular with the same rule. What
scikit-learn fits stays on the CPU whatever the device of the run; only the Keras net is on that device.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from bench.schema import Data, Names, Part, Reading, Variant, Workload

N_TEST_ROWS = 4_096  # tabular rows held out; the digits have their own split
METHODS = {
    "logistic": "logistic regression",
    "forest": "random forest",
    "boosting": "histogram gradient boosting",
    "network": "small neural net",
}

SPEC = Workload(
    id="classic-baselines",
    title="Methods without a neural net",
    summary="Logistic regression, a random forest and boosted trees learn what two small nets learn beside them.",
    kind="study",
    sample_noun="fits",
    data_source="the digits of cnn-digits with the same split; the rows of mlp-tabular with the same rule",
    readings=(
        *(Reading(id=f"{name}-fit", label=f"{label}, time to fit", unit="s") for name, label in METHODS.items()),
        *(Reading(id=f"{name}-accuracy", label=f"{label}, accuracy", unit="frac") for name, label in METHODS.items()),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params={"task": "digits", "rows": 128},
                          n_blocks=1, headline=True, estimate_s=10.0),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=1, n_samples=1, params={"task": task, "rows": rows}, n_blocks=1,
                    headline=rows in (320, 1_440, 16_384), estimate_s=estimate_s)
            for task, rows, estimate_s in (("digits", 320, 6.0), ("digits", 1_440, 7.0), ("tabular", 1_024, 6.0),
                                           ("tabular", 16_384, 7.5), ("tabular", 131_072, 30.0))
        ),
    },
)  # fmt: skip

NAMES = Names(
    parts=(
        Part("small-table", "a thousand rows of a table", "rows", 1_024),
        Part("large-table", "a hundred thousand rows of a table", "rows", 131_072),
    )
)


def measure(study: Any) -> None:
    """Fit each method once, as a user would, and read seconds and held-out accuracy."""
    import numpy as np

    task = str(study.variant.params["task"])
    data = load_task(task, int(study.variant.params["rows"]), study.seed)
    flat = data.x.reshape(len(data.x), -1)
    flat_test = data.x_test.reshape(len(data.x_test), -1)
    for name, estimator in estimators(study.cell.threads, study.seed).items():
        seconds = seconds_of(lambda estimator=estimator: estimator.fit(flat, data.y.ravel()))  # type: ignore[misc]
        study.read(f"{name}-fit", seconds)
        study.read(f"{name}-accuracy", float(np.mean(estimator.predict(flat_test) == data.y_test.ravel())))

    model, seconds = fit_network(study, task, data)
    study.read("network-fit", seconds)
    outputs = model.predict(data.x_test, verbose=0)
    said = outputs.argmax(axis=1) if task == "digits" else (outputs > 0).ravel()
    study.read("network-accuracy", float(np.mean(said == data.y_test.ravel())))
    study.observe(model.weights[0].value, model(data.x_test[:32]))


def load_task(task: str, n_rows: int, seed: int) -> Data:
    """The first digits of cnn-digits to train on, or rows of mlp-tabular with 4,096 more of the same rule held out."""
    from bench.workloads.models import cnn_digits, mlp_tabular

    if task == "digits":
        return cnn_digits.load_data(Variant(batch_size=1, n_samples=n_rows), seed)
    drawn = mlp_tabular.load_data(Variant(batch_size=1, n_samples=n_rows + N_TEST_ROWS), seed)
    return Data(drawn.x[:n_rows], drawn.y[:n_rows], drawn.x[n_rows:], drawn.y[n_rows:])


def estimators(n_threads: int, seed: int) -> dict[str, Any]:
    """Scikit-learn's methods at their default settings, on as many cores as the run has."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Boosting takes its threads from OMP_NUM_THREADS and the regression from the BLAS, both set for the run.
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
        "forest": RandomForestClassifier(n_jobs=n_threads, random_state=seed),
        "boosting": HistGradientBoostingClassifier(random_state=seed),
    }


def fit_network(study: Any, task: str, data: Data) -> tuple[Any, float]:
    """The task's own net, fitted to the target of the digits, or for mlp-tabular's own epochs.

    Returns:
        The model, and the seconds from the call of fit to the end of its last epoch, with the evaluations between.
    """
    from bench.workloads.models import cnn_digits, mlp_tabular

    module = cnn_digits if task == "digits" else mlp_tabular
    variant = module.SPEC.variants["reference"][0]
    model = module.build_model(variant)
    model.compile(**module.compile_arguments(variant), jit_compile=study.cell.backend == "jax")
    target = module.SPEC.target
    batch_size = variant.batch_size

    class UntilTarget(study.keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            found = model.evaluate(data.x_test, data.y_test, batch_size=batch_size, verbose=0, return_dict=True)
            model.stop_training = found[target.metric] >= target.at_least

    marks = study.marks(model)
    callbacks = [marks] if target is None else [UntilTarget(), marks]
    n_epochs = variant.n_job_epochs if target is None else target.max_epochs
    start = perf_counter()
    model.fit(data.x, data.y, batch_size=batch_size, epochs=n_epochs, verbose=0, callbacks=callbacks)
    return model, marks.ended_s - start


def seconds_of(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start
