# ---
# jupyter:
#   id: compare
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   language_info:
#     name: python
#   order: 3
# ---

# %% [markdown]
# # Read our records
#
# Every number of this site comes from a record, and every record is a file you can read.
# This notebook loads them into a table, draws a comparison of your own, and asks a second question of them.
#
# It runs inside the repository, after `make site`:
#
# ```sh
# .venv/bin/python -m pip install jupyterlab
# .venv/bin/python -m jupyter lab docs/notebooks/compare.ipynb
# ```
#
# The outputs below were stored with the records of their day; the pages of the site always follow the newest.

# %% [markdown]
# ## What is here
#
# Keras is not needed to read records, so this notebook computes on no device.
# Outside the repository, write its address between the quotes, and the cell fetches it.

# %%
import importlib.util
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

REPOSITORY = ""

wanted = {name: name for name in ("altair", "msgspec", "polars", "scipy")} | {"vl_convert": "vl-convert-python"}
missing = [package for module, package in wanted.items() if importlib.util.find_spec(module) is None]
if missing:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)
root = next((folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "bench/results").is_dir()), None)
if root is None and REPOSITORY:
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, "records"], check=True)
    root = Path("records")
if root is None:
    raise SystemExit("There are no records here: start this notebook inside the repository, or give its address above.")
sys.path.insert(0, str(root))
print(", ".join(f"{package} {version(package)}" for package in wanted.values()))
print(f"Keras is {'here' if importlib.util.find_spec('keras') else 'not here'}, and not used. Run on {date.today()}.")

# %% [markdown]
# ## Read the records
#
# `store.load` reads and checks every file; `Evidence.frame` gives one row per measured cell, as a polars table.
# Rates are in samples per second, times in seconds; `_low` and `_high` are the ends of the interval.

# %%
import polars as pl

from bench.records import store
from bench.report.evidence.evidence import Evidence
from bench.workloads import registry

stored = store.load()
published = stored._replace(sessions=tuple(s for s in stored.sessions if not s.is_local))  # yours: leave this out
frame = Evidence(published, registry.workloads()).frame()
print(f"{len(frame)} cells, {frame['workload'].n_unique()} workloads; sessions: {sorted(frame['session_id'].unique())}")
frame.select("machine_id", "workload", "mode", "backend", "device", "jit", "status", "samples_per_s")

# %% [markdown]
# ## Choose what to compare
#
# Change the filter: `frame["workload"].unique()` lists the workloads.
# Cells that failed or were skipped have a status and a reason instead of a rate.

# %%
picked = frame.filter(
    (pl.col("workload") == "resnet50") & (pl.col("mode") == "train") & (pl.col("status") == "ok") & pl.col("headline")
)
rates = ("samples_per_s", "samples_per_s_low", "samples_per_s_high", "n_runs")
picked.select("backend", "device", "jit", "precision", *rates)

# %% [markdown]
# ## Draw it
#
# A point with its interval, one row per backend, XLA setting and precision.
# Two results whose intervals overlap are not different.

# %%
import altair as alt

alt.renderers.enable("svg")  # a picture that needs no other host
rows = alt.Data(values=picked.with_columns(arm=pl.format("{}, XLA {}, {}", "backend", "jit", "precision")).to_dicts())
y = alt.Y("arm:N", title=None)
points = (
    alt.Chart(rows)
    .mark_point(filled=True, size=80)
    .encode(
        x=alt.X("samples_per_s:Q", title="samples per second (higher is better)"),
        y=y,
        color=alt.Color("device:N", title="device"),
    )
)
whiskers = alt.Chart(rows).mark_rule().encode(x="samples_per_s_low:Q", x2="samples_per_s_high:Q", y=y)
(whiskers + points).properties(
    title="ResNet-50, training",
    description="Training rate of ResNet-50, a point and its interval per backend, XLA setting and precision.",
    background="white",
    width=320,
)

# %% [markdown]
# ## Another question
#
# How much does XLA change on a CPU, workload by workload?
# A value above one means that it helps.

# %%
on_cpu = frame.filter((pl.col("device") == "cpu") & (pl.col("status") == "ok") & pl.col("headline"))
keys = ["machine_id", "session_id", "workload", "mode", "backend"]
arms = on_cpu.pivot(on="jit", index=keys, values="samples_per_s", aggregate_function="max")
if {"on", "off"} <= set(arms.columns):
    arms = arms.drop_nulls(["on", "off"]).with_columns(xla_helps=pl.col("on") / pl.col("off")).sort("xla_helps")
arms.drop("machine_id", "session_id")

# %% [markdown]
# ## Next
#
# - [Repeat a number on your machine](../guides/rerun.md) the way the site does it, and
#   [add your machine](../guides/add-a-machine.md).
# - [Train your first network on a CPU](train-on-a-cpu.ipynb): the digits, in seconds.
