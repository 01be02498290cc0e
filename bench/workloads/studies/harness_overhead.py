"""What the harness adds to the training that it times: fit as it comes, and fit under the clock. Pure but for the nets.

Bare fit stands in twice: the ratio of the two shows what is found on a machine where nothing differs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from bench.measure import clock  # noqa: F401  measured here through study.fit: another clock may cost otherwise
from bench.schema import Series, Variant, Workload
from bench.workloads.models import cnn_digits, lstm_text, mlp_tabular, resnet50, transformer_text
from bench.workloads.parts import fits  # noqa: F401  as the clock

NETS = {module.SPEC.id: module for module in (cnn_digits, mlp_tabular, lstm_text, transformer_text, resnet50)}
PART_S = 0.3  # one timed fit lasts about this long: short, so that a slow neighbour meets every part of a round


SPEC = Workload(
    id="harness-overhead",
    title="What our own clock costs",
    summary="Nets are trained through fit as it comes, and through fit under the clock of this benchmark.",
    kind="study",
    sample_noun="samples",
    data_source="that of each workload; only speed is asked",
    series=(
        Series(id="bare", label="model.fit as it comes"),
        Series(id="clock", label="model.fit under the clock"),
        Series(id="again", label="model.fit as it comes, a second time"),
    ),
    # Each net at the size and batch of its workload's headline training, with so many steps in an epoch.
    variants={
        profile: tuple(  # type: ignore[misc]
            Variant(mode="study", batch_size=own.batch_size, n_samples=n_steps * own.batch_size,
                    params={"net": net, **own.params}, n_blocks=n_blocks, steady_limit_s=limit_s,
                    headline=net == "mlp-tabular", estimate_s=estimate_s, sweep=sweep)
            for net, n_steps, estimate_s in nets for own in [NETS[net].SPEC.headline_training(profile)]
        )
        for profile, n_blocks, limit_s, sweep, nets in (
            ("smoke", 3, 0.3, "", [("mlp-tabular", 16, 9.0)]),
            ("quick", 0, 0.0, "", []),
            ("reference", 61, 45.0, "nets", [("mlp-tabular", 512, 75.0), ("cnn-digits", 45, 75.0),
                                             ("lstm-text", 10, 80.0), ("transformer-text", 4, 80.0),
                                             ("resnet50", 3, 190.0)]),
        )
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time short fits of a net in turn: bare, under the clock, and bare again."""
    net = NETS[str(study.variant.params["net"])]
    data = net.load_data(study.variant, study.seed)
    model = net.build_model(study.variant)
    model.compile(**net.compile_arguments(study.variant), jit_compile=study.cell.backend == "jax")
    for is_clocked in (False, True):
        study.fit(model, data, 1, is_clocked=is_clocked)
    n_epochs = max(1, round(PART_S / study.fit(model, data, 1, is_clocked=False).seconds))
    bare = partial(study.fit, model, data, n_epochs, is_clocked=False)
    study.take({"bare": bare, "clock": partial(study.fit, model, data, n_epochs, is_clocked=True), "again": bare})
    study.observe(model.weights[0].value, model(data.x[: study.cell.batch_size]))
