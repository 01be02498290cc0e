"""How much memory training takes, for the nets of the other workloads. Pure: nets and data are those workloads' own.

All are trained with Adam, whatever their workload uses, so that they can be set beside each other; metrics are left
out. XLA compiles in JAX only. What is read, and how, is as in ``memory``.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Names, Reading, Variant, Workload
from bench.workloads.models import (
    detector,
    gpt_small,
    inception_v3,
    lstm_text,
    mlp_tabular,
    mobilenet_v2,
    resnet50,
    transformer_text,
)
from bench.workloads.studies import memory

NETS = {
    module.SPEC.id: module
    for module in (resnet50, mobilenet_v2, inception_v3, lstm_text, transformer_text, gpt_small, detector, mlp_tabular)
}
N_STEPS = 2  # measured steps, after a first one that compiles


SPEC = Workload(
    id="memory-nets",
    title="Memory of training, whole networks",
    summary="Networks of the other workloads are trained with Adam for a few steps, and the memory that this takes "
    "is read.",
    kind="study",
    sample_noun="samples",
    data_source="that of each workload; memory does not depend on its values",
    readings=(
        Reading(id="weights", label="weights", unit="bytes"),
        Reading(id="optimizer", label="kept by Adam", unit="bytes"),
        Reading(id="before", label="in use before the net was built", unit="bytes"),
        Reading(id="peak", label="peak of a step, above what was used before the net was built", unit="bytes"),
        Reading(id="peak-first", label="peak with the first step, which compiles", unit="bytes"),
    ),
    variants={
        "smoke": tuple(
            Variant(mode="study", batch_size=8, n_samples=16, params={"net": net, **params},
                    headline=net == "mlp-tabular", estimate_s=8.0)
            for net, params in (("mlp-tabular", {"width": 16}),
                                ("transformer-text", {"width": 32, "layers": 1, "heads": 2, "length": 16}))
        ),
        "quick": (),
        # A net at two batches on each device; the line through their peaks is what the guide computes from.
        "reference": tuple(
            Variant(mode="study", batch_size=batch_size, n_samples=2 * batch_size, params={"net": net, **params},
                    headline=net == "lstm-text" and batch_size == batches[0], estimate_s=estimate_s,
                    backends=backends, devices=(device,), sweep="memory")  # type: ignore[arg-type]
            for net, params, on_cpu, on_gpu, estimate_s, cpu_backends in (
                ("resnet50", {"image_px": 224}, (2, 8), (4, 16), 20.0, ("tensorflow", "torch")),
                ("mobilenet-v2", {"image_px": 224}, (2, 8), (4, 16), 16.0, ()),
                ("inception-v3", {"image_px": 299}, (2, 8), (4, 16), 25.0, ("tensorflow", "torch")),
                ("lstm-text", {"units": 128, "length": 64}, (64, 512), (128, 1024), 8.0, ()),
                ("transformer-text", transformer_text.COURSE_SIZE, (16, 128), (32, 256), 10.0, ()),
                ("transformer-text", transformer_text.BERT_BASE_SIZE, (1, 8), (4, 16), 30.0, ("tensorflow", "torch")),
                ("gpt-small", gpt_small.SIZE, (32, 256), (64, 512), 10.0, ("tensorflow", "torch")),
                ("detector", {}, (32, 256), (64, 512), 8.0, ("tensorflow", "torch")),
                ("mlp-tabular", {"width": 128}, (4096, 32_768), (8192, 65_536), 8.0, ("tensorflow", "torch")),
            )
            for device, batches, backends in (("cpu", on_cpu, cpu_backends), ("gpu", on_gpu, ()))
            for batch_size in batches
        ),
    },
)  # fmt: skip

NAMES = Names(memory="by-batch")


def measure(study: Any) -> None:
    """Read the bytes of a net that is trained through fit, a few steps of one batch size."""
    n_first = study.cell.batch_size
    data = NETS[str(study.variant.params["net"])].load_data(study.variant, study.seed)
    memory.forget_peak(study)
    before = memory.peak_bytes(study) or 0.0  # used now; where the peak cannot be taken back, the peak so far
    model = build(study.keras, study.variant, is_compiled=study.cell.jit == "on")
    model.fit(data.x[:n_first], data.y[:n_first], batch_size=n_first, verbose=0)
    memory.read_peak(study, "peak-first", before)
    if memory.forget_peak(study) or study.cell.device == "gpu":  # compiling takes the host's memory, see launch.py
        model.fit(data.x, data.y, batch_size=n_first, verbose=0, steps_per_epoch=N_STEPS)
        memory.read_peak(study, "peak", before)
    study.read("before", before)
    study.read("weights", memory.n_bytes(model.weights))
    study.read("optimizer", memory.n_bytes(model.optimizer.variables))
    study.observe(model.weights[0].value, model(data.x[:1]))


def build(keras: Any, variant: Variant, *, is_compiled: bool) -> Any:
    """The net of a variant, compiled for training with Adam at its default rate; with XLA where asked for."""
    module = NETS[str(variant.params["net"])]
    model = module.build_model(variant)
    arguments = module.compile_arguments(variant) | {"optimizer": keras.optimizers.Adam(), "metrics": None}
    model.compile(**arguments, jit_compile=is_compiled)
    return model
