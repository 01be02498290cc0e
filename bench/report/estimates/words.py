"""An estimate in words: always a range, and what stands behind it."""

from __future__ import annotations

from bench.report.estimates.formula import Constants, Estimate
from bench.report.stats import format as fmt

DIGITS = 2  # of a range's ends: more would promise what it cannot hold
# Why there is no estimate, for a cell of a table; other reasons are short enough by themselves.
WHY = {
    "embedding": "look-ups in a table",
    "recurrent": "works step by step",
    "frozen": "most layers do not learn",
    "family": "unlike the networks that were measured",
    "no spec": "data sheet incomplete",
    "hull": "unlike the cards that were measured",
    "launching": "starting the work decides",
    "no TensorFlow cell": "not measured in TensorFlow",
    "unmeasured": "no such card was measured",
    "old": "too old",
}
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def why(reason: str) -> str:
    """A reason of ``formula.refusal`` in a few words."""
    return WHY.get(reason, reason)


def span(low: float, high: float) -> str:
    """Seconds between two ends, in one unit: "140 to 500 ms"."""
    scale, unit = next((pair for pair in UNITS if high >= pair[0]), UNITS[-1])
    return f"{fmt.number(low / scale, DIGITS)} to {fmt.number(high / scale, DIGITS)} {unit}"


def rate_span(answer: Estimate, batch: float) -> str:
    """Samples a second between the ends of a step's range: "64 to 220"."""
    return f"{fmt.number(batch / answer.high, DIGITS)} to {fmt.number(batch / answer.low, DIGITS)}"


def kind(answer: Estimate) -> str:
    """What decides how long a step takes, or why nobody can say."""
    if answer.kind == "refused":
        return f"no estimate: {answer.reason}"
    return "bound by the GPU" if answer.kind == "gpu" else "bound by launching"


def trust(answer: Estimate | None, known: Constants) -> str:
    """How far an estimate's range can be trusted, from the fit itself; of None, under Keras in general."""
    made = (
        f"From a formula fitted to {fmt.count(known.counts['points'])} published measurements"
        f" on {known.counts['cards']} GPUs. "
    )
    name = answer.range_of if answer else "keras"
    if name not in known.ranges:  # refused
        return made.strip()
    held = known.ranges[name]
    runs = f"{fmt.count(held.inside)} of {fmt.count(held.n)}"
    if name == "launching":
        return f"{made}Of small networks in public notebooks, {runs} lay in such a range."
    unseen = max(float(line["p90"]) for line in known.held_out if line["left_out"] in ("one card", "one network"))
    return (
        f"{made}On GPUs and networks that it had not seen, nine in ten were within a factor of"
        f" {fmt.number(unseen, DIGITS)}; {'under Keras' if name == 'keras' else 'of those'} {runs} lay in such a range."
    )
