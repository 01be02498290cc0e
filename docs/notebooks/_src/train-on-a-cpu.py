# ---
# jupyter:
#   id: train-on-a-cpu
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   language_info:
#     name: python
#   order: 1
# ---

# %% [markdown]
# # Train your first network on a CPU
#
# A first network needs no GPU. It is trained below, and then your own time answers the question: do I need a GPU for
# this?
#
# What you see under each cell is from one run on a small machine without a GPU; run it, and your numbers replace ours.
# No time here is a benchmark: one run, nothing else of the machine held still.

# %% [markdown]
# ## What is here
#
# The cell installs what is missing and says which device Keras uses.

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
# ## The data
#
# Handwritten digits that come with scikit-learn: nothing is downloaded.
# A fifth of them is held out, so that the network is judged on digits it has never seen.

# %%
from sklearn.datasets import load_digits

digits = load_digits()
images = (digits.images[..., None] / 16).astype("float32")  # (n, 8, 8, 1), from 0 to 1
order = np.random.default_rng(0).permutation(len(images))
train, test = order[:1440], order[1440:]
x, y = images[train], digits.target[train]
x_test, y_test = images[test], digits.target[test]

print(f"{len(x)} digits to learn from, {len(x_test)} held out. The first one is a {y[0]}:")
for row in x[0, :, :, 0]:
    print("  " + "".join(" .:oO@"[int(5 * value)] * 2 for value in row))

# %% [markdown]
# ## The network
#
# Two layers that look for strokes, one that weighs them, one that decides.

# %%
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10),
    ]
)
model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
print(f"{model.count_params():,} numbers to learn")

# %% [markdown]
# ## Train it
#
# It stops when it names the target's share of the held-out digits rightly.
# The first round is the slowest: it also translates the network into machine code.

# %%
from time import perf_counter

TARGET = 0.97


class UntilGood(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        accuracy = self.model.evaluate(x_test, y_test, batch_size=32, verbose=0, return_dict=True)["accuracy"]
        self.seconds = perf_counter() - start
        print(f"round {epoch + 1}: {accuracy:.1%} of the held-out digits right after {self.seconds:.1f} s")
        self.model.stop_training = accuracy >= TARGET


rounds = UntilGood()
start = perf_counter()
model.fit(x, y, batch_size=32, epochs=30, verbose=0, callbacks=[rounds])
seconds = rounds.seconds
print(f"finished after {seconds:.1f} s on the {'GPU' if has_gpu else 'CPU'}")

# %% [markdown]
# ## Do I need a GPU for this?
#
# A GPU cannot save you more time than you spend.
# Put in how often you would train, and how much waiting in a day would make you spend money.

# %%
TRAININGS_A_DAY = 50
WORTH_MINUTES = 30

minutes = seconds * TRAININGS_A_DAY / 60
print(f"{TRAININGS_A_DAY} trainings a day would cost you {minutes:.1f} minutes of waiting on this machine.")
if has_gpu:
    print("This was a GPU's time. Choose a runtime without one, run all cells again, and compare.")
elif minutes < WORTH_MINUTES:
    print(f"No: even a GPU that took no time at all would save less than your {WORTH_MINUTES} minutes.")
else:
    print("Perhaps: find out with the next notebook whether a GPU would be faster at this size at all.")

# %% [markdown]
# ## Our record beside your time
#
# The same network and data, measured properly for this site: several processes, the median, its interval.
# Inside the repository the records are read from its folder.
# Elsewhere, write the repository's address between the quotes, and the cell fetches it.

# %%
from pathlib import Path

REPOSITORY = ""

root = next((folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "bench/results").is_dir()), None)
if root is None and REPOSITORY:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "msgspec", "scipy"], check=True)
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, "records"], check=True)
    root = Path("records")
if root is None:
    print("No records here; the site shows them on the page of this network.")
else:
    sys.path.insert(0, str(root))
    from bench.records import store
    from bench.report.evidence.evidence import Evidence
    from bench.report.facts import lookup
    from bench.workloads import registry

    stored = store.load()
    published = stored._replace(sessions=tuple(s for s in stored.sessions if not s.is_local))
    evidence = Evidence(published, registry.workloads())
    print(f"you, once, {backend}:      {seconds:.2f} s")
    print(f"our CPU, {backend}:        {lookup.lookup(f'cnn-digits-time-to-target-{backend}', evidence).text}")
    print(f"our GPU, {backend}:        {lookup.lookup(f'cnn-digits-gpu-time-to-target-{backend}', evidence).text}")
    print(f"our machine:               {lookup.lookup('machine-cpu', evidence).text}")

# %% [markdown]
# ## Next
#
# - [Find your own break-even](break-even.ipynb): from which size on would a GPU be faster?
# - [How long does training take on a CPU?](../faq/how-long-on-a-cpu.md)
# - [Do I need a GPU?](../faq/do-i-need-a-gpu.md)
