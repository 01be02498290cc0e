# ---
# jupyter:
#   id: break-even
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   language_info:
#     name: python
#   order: 2
# ---

# %% [markdown]
# # Find your own break-even
#
# From which size on does a GPU pay? Small networks on small batches wait for the work to be started, not for it to be
# done, and a GPU does not shorten that. This notebook times one step of a dense network over a small grid of widths
# and batch sizes: on CPU and GPU where there is one, else on the CPU alone, with what that already tells you.
#
# What you see under each cell is from one run on a small machine without a GPU.

# %% [markdown]
# ## What is here

# %%
import importlib.util
import os
import subprocess
import sys
from datetime import date

backends = [name for name in ("tensorflow", "torch", "jax") if importlib.util.find_spec(name)]
wanted = {"keras": "keras>=3", "sklearn": "scikit-learn"}
missing = [package for module, package in wanted.items() if importlib.util.find_spec(module) is None]
missing += [] if backends else ["tensorflow"]
if missing:  # Colab and Kaggle bring all of it: nothing happens there
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)
if backends and "tensorflow" not in backends:
    os.environ.setdefault("KERAS_BACKEND", backends[0])
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # without it TensorFlow opens with a page of notes

import keras
import numpy as np

backend = keras.backend.backend()
device = str(keras.ops.convert_to_tensor([1.0]).device).rsplit("/", 1)[-1]
has_gpu = any(word in device.lower() for word in ("gpu", "cuda", "mps"))
print(f"Keras {keras.version()} on {backend} {sys.modules[backend].__version__}, NumPy {np.__version__}")
print(f"Keras computes on {device}: a {'GPU' if has_gpu else 'CPU'}; this machine has {os.cpu_count()} CPU cores")
print(f"Run on {date.today()}")

# %% [markdown]
# ## The grid
#
# Three hidden layers of one width, rows of random numbers, a yes-or-no label: only speed is asked.
# Change widths and batch sizes to your own.

# %%
WIDTHS = (16, 128, 1024)
BATCHES = (32, 256, 2048)
N_FEATURES = 32
MAX_STEPS = 100

rng = np.random.default_rng(0)
x = rng.standard_normal((MAX_STEPS * max(BATCHES), N_FEATURES), dtype="float32")
y = (x[:, :1] > 0).astype("float32")


def network(width):
    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((N_FEATURES,)), *hidden, keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return model


# %% [markdown]
# ## The clock
#
# The first calls are left out, since they compile.
# `fit` has the loss as a number when the training ends, so the device has finished when the clock stops.
# In TensorFlow `fit` may return later than that, idle.
# The middle one of three blocks counts, and the weights must lie where they were sent.

# %%
from math import ceil
from time import perf_counter


class End(keras.callbacks.Callback):
    def on_train_end(self, logs=None):
        self.at = perf_counter()


def step_seconds(width, batch, place):
    def block(n_steps):
        n, end, start = n_steps * batch, End(), perf_counter()
        model.fit(x[:n], y[:n], batch_size=batch, shuffle=False, verbose=0, callbacks=[end])
        return (end.at - start) / n_steps

    with keras.device(place):
        model = network(width)
        block(2)
        n_steps = min(MAX_STEPS, max(2, ceil(0.2 / block(4))))
        seconds = sorted(block(n_steps) for _ in range(3))[1]
    found = str(model.trainable_variables[0].value.device).lower()
    assert ("cpu" in found) == ("cpu" in place), f"asked for {place}, the weights are on {found}"
    return seconds


places = {"cpu": "cpu:0"} | ({"gpu": "mps" if "mps" in device else "gpu:0"} if has_gpu else {})
steps = {
    (name, width, batch): step_seconds(width, batch, place)
    for width in WIDTHS
    for batch in BATCHES
    for name, place in places.items()
}

# %% [markdown]
# ## The surface


# %%
def table(title, value):
    print(f"{title:<34}" + "".join(f"{f'batch {batch}':>12}" for batch in BATCHES))
    for width in WIDTHS:
        print(f"  width {width:<26}" + "".join(f"{value(width, batch):>12.3g}" for batch in BATCHES))
    print()


for name in places:
    table(f"{name.upper()}, milliseconds per step", lambda width, batch, name=name: 1e3 * steps[name, width, batch])
    table(f"{name.upper()}, rows per second", lambda width, batch, name=name: batch / steps[name, width, batch])

# %% [markdown]
# ## Where is the break-even?
#
# With a GPU: the cells in which it is faster than the CPU.
# Without one: how much longer a step of the widest network takes than one of the narrowest, beside how much more
# arithmetic it does. Where the time grows far less than the arithmetic, you are waiting for something else than
# arithmetic, and a GPU would wait for it as well.

# %%
if has_gpu:
    table("times as fast on the GPU", lambda width, batch: steps["cpu", width, batch] / steps["gpu", width, batch])
    for batch in BATCHES:
        wins = [width for width in WIDTHS if steps["gpu", width, batch] < steps["cpu", width, batch]]
        print(f"batch {batch}: the GPU is faster at width {', '.join(map(str, wins)) or 'none of these'}")
else:
    narrow, wide = min(WIDTHS), max(WIDTHS)
    work = network(wide).count_params() / network(narrow).count_params()
    for batch in BATCHES:
        longer = steps["cpu", wide, batch] / steps["cpu", narrow, batch]
        print(f"batch {batch}: from width {narrow} to {wide}, {work:,.0f} times the work, {longer:,.0f} times the time")
    print("\nNo GPU here, so no break-even yet: below it says how to go on.")

# %% [markdown]
# ## How to go on
#
# - Without a GPU: open this notebook on Colab or Kaggle, switch a GPU on in its settings, and run all cells.
#   [What the free platforms give](../faq/free-gpu-limits.md).
# - One run like this sees large differences only. [Measure the same grid as the site does](../guides/rerun.md): the
#   workload is called `mlp-tabular`.
# - [Why can a GPU be slower than a CPU?](../faq/gpu-slower-than-cpu.md)
