# ---
# jupyter:
#   id: time-it-right
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   language_info:
#     name: python
#   order: 4
# ---

# %% [markdown]
# # Time it wrong, time it right
#
# Most home-made benchmarks time the wrong thing: the compiler, the hand-over of work, or one lucky call.
# Here plausible clocks and a right one look at the same work, on whatever backend and device you have.
#
# What you see under each cell is from one run on a small machine without a GPU.
# A GPU takes orders and returns at once, so the clock that does not wait misleads most there.

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
# ## The work
#
# A few products of square matrices, compiled in the way each backend likes.
# PyTorch runs them one by one, as it does by default.

# %%
N = 512

rng = np.random.default_rng(0)
weight = keras.ops.convert_to_tensor(rng.standard_normal((N, N), dtype="float32") / N**0.5)
first_value = keras.ops.convert_to_tensor(rng.standard_normal((N, N), dtype="float32"))


def products(x):
    for _ in range(4):
        x = keras.ops.tanh(keras.ops.matmul(x, weight))
    return x


if backend == "tensorflow":
    import tensorflow as tf

    work = tf.function(products)
elif backend == "jax":
    import jax

    work = jax.jit(products)
else:
    import torch

    work = torch.no_grad()(products)


def wait(x):
    """Reading one number of a result makes the device finish it; nothing cheaper works on every backend."""
    return float(keras.ops.convert_to_numpy(x[0, 0]))


_ = wait(first_value)

# %% [markdown]
# ## Time it wrong
#
# Each of these is what a few innocent lines would print.
# The very first call traces and compiles; a mean that contains it carries it along; a clock that stops when the call
# returns may measure only how fast orders are given; one call is one draw.

# %%
from time import perf_counter


def clock(n_calls, *, wait_for_device=True):
    """Seconds per call of a chain of calls."""
    x = first_value
    start = perf_counter()
    for _ in range(n_calls):
        x = work(x)
    if wait_for_device:
        wait(x)
    seconds = perf_counter() - start
    wait(x)  # so that nothing is left over for the next clock
    return seconds / n_calls


first_call = clock(1)
said = {
    "the first call": first_call,
    "mean of ten, the first among them": (first_call + 9 * clock(9)) / 10,
    "stopped when the calls return": clock(10, wait_for_device=False),
}
singles = [clock(1) for _ in range(20)]
said |= {"one warm call, the luckiest of 20": min(singles), "one warm call, the unluckiest of 20": max(singles)}

# %% [markdown]
# ## Time it right
#
# Warm up, time blocks of calls, wait for the device before the clock stops, repeat, and report the middle with its
# range.

# %%
clock(10)  # warm-up
blocks = sorted(clock(10) for _ in range(15))
right = blocks[len(blocks) // 2]
print(f"right: {1e3 * right:.3f} ms per call, blocks from {1e3 * blocks[0]:.3f} to {1e3 * blocks[-1]:.3f} ms\n")
print(f"{'what the wrong clocks said':<40}{'ms':>10}{'of the right one':>20}")
for name, seconds in said.items():
    print(f"{name:<40}{1e3 * seconds:>10.3f}{seconds / right:>18.2f} x")

# %% [markdown]
# ## Keep this
#
# The right clock in a form to copy; `call` runs your work and returns a tensor.


# %%
def time_right(call, wait, n_calls=10, n_blocks=15):
    """Median, lowest and highest seconds per call."""
    for _ in range(n_calls):
        wait(call())
    seconds = []
    for _ in range(n_blocks):
        start = perf_counter()
        for _ in range(n_calls):
            value = call()
        wait(value)
        seconds.append((perf_counter() - start) / n_calls)
    seconds.sort()
    return seconds[n_blocks // 2], seconds[0], seconds[-1]


middle, low, high = time_right(lambda: work(first_value), wait)
print(f"{1e3 * middle:.3f} ms per call, from {1e3 * low:.3f} to {1e3 * high:.3f} ms")

# %% [markdown]
# ## Next
#
# - [How do I time a model properly?](../faq/how-to-time-a-model.md): the rules, and our record of these wrong clocks.
# - [Why is the first step slow?](../faq/slow-first-step.md)
# - [How we measure](../method/index.md)
