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
# This notebook reads them, draws a comparison of your own, and asks a second question of them.
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

wanted = {name: name for name in ("altair", "msgspec", "scipy")} | {"vl_convert": "vl-convert-python"}
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
# `store.load` reads and checks every file; `Evidence` answers questions about them, the same ones that pages ask.

# %%
from bench.records import store
from bench.report.evidence.cells import variant_key
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.workloads import registry

stored = store.load()
published = stored._replace(sessions=tuple(s for s in stored.sessions if not s.is_local))  # yours: leave this out
evidence = Evidence(published, registry.workloads())
for session in evidence.sessions:
    print(f"{session.path}: {len(session.records)} cells on {evidence.view(session).cpu_text()}")

# %% [markdown]
# ## Choose what to compare
#
# Change the pick: `evidence.workloads` has all names, `Pick` all that cells can be picked by.
# Cells that failed or were skipped have a `reason` instead of a rate, so only those that are "ok" are asked for.

# %%
pick = Pick("resnet50", "train", headline=True, status="ok")
rows = []
for session in evidence.sessions:
    for record in evidence.view(session).records(pick):
        cell, rate = record.cell, quantities.throughput(record)
        arm = f"{fmt.backend(cell.backend)}, XLA {cell.jit}, {cell.precision}, {fmt.cores(cell.threads)}"
        rows.append({"arm": arm, "device": cell.device, "value": rate.value, "low": rate.low, "high": rate.high})
        print(f"{session.path:28} {arm:45} {fmt.interval(rate, record.spec.sample_noun)}")

# %% [markdown]
# ## Draw it
#
# A point with its interval, one row per backend, XLA setting, precision and number of cores.
# Two results whose intervals overlap are not different.

# %%
import altair as alt

alt.renderers.enable("svg")  # a picture that needs no other host
chart = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("arm:N", title=None))
points = chart.mark_point(filled=True, size=80).encode(
    x=alt.X("value:Q", title="samples per second (higher is better)"), color=alt.Color("device:N", title="device")
)
(chart.mark_rule().encode(x="low:Q", x2="high:Q") + points).properties(
    title="ResNet-50, training",
    description="Training rate of ResNet-50, a point and its interval per arm.",
    background="white",
    width=320,
)

# %% [markdown]
# ## Another question
#
# How much does XLA change on a CPU, workload by workload?
# A value above one means that it helps.

# %%
found = []
for session in evidence.sessions:
    arms = {}
    for record in evidence.view(session).records(Pick(device="cpu", headline=True, status="ok")):
        alike = (record.cell.backend, record.cell.threads, variant_key(record))
        arms.setdefault(alike, {})[record.cell.jit] = record
    for both in arms.values():
        if len(both) == 2 and (ratio := evidence.record_speedup(both["on"], both["off"])) is not None:
            found.append((ratio, session.path, both["on"].cell))
for ratio, path, cell in sorted(found, key=lambda one: one[0].value):
    arm = f"{fmt.backend(cell.backend)}, {fmt.cores(cell.threads)}"
    print(f"{path:28} {cell.workload:17} {cell.mode:6} {arm:20} {fmt.interval(ratio)}")

# %% [markdown]
# ## Next
#
# - [Repeat a number on your machine](../guides/rerun.md) the way the site does it, and
#   [add your machine](../guides/add-a-machine.md).
# - [Train your first network on a CPU](train-on-a-cpu.ipynb): the digits, in seconds.
