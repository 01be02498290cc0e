"""What strangers' records may hold: whatever a file is, it is read or refused in one line, and never wrongly read.

The long form is ``tests.long fuzz``.
"""

import json
import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.records import check, files, store, texts
from bench.schema import SCHEMA_VERSION, Record
from tests.test_personal import SECRETS

DATA = Path(__file__).parent / "data" / "schema-3"
RESULTS = files.RESULTS
SETTINGS = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

PERSONAL = [text for text, _ in SECRETS]
MARKUP = [
    '"><img src=x onerror="document.title=1">',
    "<script>1</script>",
    "[click](javascript:alert(1))",
    "{{ 7*7 }}",
    "{% raw %}",
    "`x`",
    "a | b",
    "&lt;",
    "**x**",
    "~~x~~",
    "a\\b",
    "line\nline",
    "tab\there",
    "nul\0",
    "bell\a",
    "\x1b[31m",
    "\u202eright to left",
    "\u2066isolate",
    "zero\u200bwidth",
    "soft\u00adhyphen",
    "\ud800",
    "\ufeffmark",
    "z\u0335\u0321algo",
    "\U000e0041tag",
    "=1+1",
    "+1",
    "-1",
    "@x",
    "# head",
    "o\u0308 decomposed",
    "\u0378 unassigned",
    "Intel Xe\u043en",
    "\u3099 a mark alone",
    "\u0e31 a mark of Thai alone",
    "ก" + "\u0e31" * 9,
    "\u3164 filler",
    "عربي\u202d",
    "ไทย <b>",
    "Intel X\u0565on",
    "𝐀 letters of mathematics",
    "😀",
    "x" * 201,
    "x" * 10_000_000,
]


@pytest.mark.parametrize("text", MARKUP, ids=lambda text: ascii(text)[:40])
def test_what_may_not_be_stored_is_refused_and_cleaned(text):
    assert "expected" in texts.problem(text)
    assert "" == texts.problem(texts.clean(text))


def test_versions_may_look_like_addresses_and_labels_quote_code():
    stored = {"versions": {"nvidia-cudnn-cu12": "9.1.0.70"}, "label": 'activation="relu"', "commit": "0" * 40}

    assert stored == texts.cleaned(stored)
    assert {"versions": {"numpy": "(network address)"}} == texts.cleaned({"versions": {"numpy": "9.1.0.70"}})


def test_a_number_below_zero_keeps_its_sign():
    assert "−1" == texts.clean("-1")


def test_messages_of_other_scripts_stay_readable():
    assert "内存不足,无法分配(错误:8)!" == texts.clean("内存不足，无法分配（错误：8）！")
    assert "نمیتوان" == texts.clean("نمی\u200cتوان")
    assert "Intel X ե on" == texts.clean("Intel X\u0565on")


@settings(SETTINGS, max_examples=300)
@given(st.text() | st.lists(st.sampled_from(PERSONAL + MARKUP[:-1]), max_size=3).map(" ".join))
def test_any_text_can_be_cleaned(text):
    assert "" == texts.problem(texts.clean(text))


def a_session(root):
    """A stored session of one record, in a results folder of its own."""
    folder = root / "intel-xeon-2c" / "2026-11-22"
    folder.mkdir(parents=True)
    source = RESULTS / "intel-xeon-2c" / "2026-11-22"
    record = next(
        path for path in sorted(source.glob("*.json")) if "-train-" in path.name and "cnn-digits" in path.name
    )
    for path in (source / "machine.json", source / "session.json", record):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder, folder / record.name


def in_raw(*place):
    """Sets what stands at a place of the JSON; the value is the last argument."""

    def change(path):
        raw = inner = json.loads(path.read_text(encoding="utf-8"))
        for key in place[:-2]:
            inner = inner[key]
        inner[place[-2]] = place[-1]
        path.write_text(json.dumps(raw))

    return change


def in_text(old, new):
    return lambda path: path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def faster(factor):
    """Takes all seconds of the first run's steps by a factor."""

    def change(path):
        raw = json.loads(path.read_text(encoding="utf-8"))
        run = raw["runs"][0]
        for name in ("warmup", "blocks"):
            run[name] = [[n_steps, seconds / factor] for n_steps, seconds in run[name]]
        run["latencies_s"] = [seconds / factor for seconds in run["latencies_s"]]
        path.write_text(json.dumps(raw))

    return change


def own_size(path):
    """The cell and its copy of the workload gain a parameter that no checkout knows."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["cell"]["params"] = {"mine": 1}
    for variant in raw["spec"]["variants"]["reference"]:
        variant["params"] = {"mine": 1}
    path.unlink()
    path.with_name(f"{path.stem}-mine-1.json").write_text(json.dumps(raw))


def told_few(path):
    faster(100)(path)
    raw = json.loads(path.read_text(encoding="utf-8"))
    for run in raw["runs"]:
        run["flop_per_step"] = 1.0
        run["unmeasured"].pop("flop_per_step", None)
    path.write_text(json.dumps(raw))


def in_turn(*changes):
    def change(path):
        for one in changes:
            one(path)

    return change


def without_runs(path):
    raw = json.loads(path.read_text(encoding="utf-8")) | {"status": "failed", "reason": "it broke", "runs": []}
    path.write_text(json.dumps(raw))


def failed_with_readings(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["runs"][0] |= {"status": "failed", "reason": "it broke"}
    path.write_text(json.dumps(raw | {"reason": "1 of 5 runs did not finish: it broke"}))


def as_link(path):
    path.rename(path.parents[2] / "elsewhere")
    path.symlink_to(path.parents[2] / "elsewhere")


def as_device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def as_pipe(path):
    path.unlink()
    os.mkfifo(path)


def as_folder(path):
    path.unlink()
    path.mkdir()


def folder_as_link(path):
    path.parent.rename(path.parents[2] / "elsewhere")
    path.parent.symlink_to(path.parents[2] / "elsewhere")


def recoded(encoding):
    return lambda path: path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))


REFUSED = {
    "a link": (as_link, "$: expected a regular file, found a link"),
    "a link to a device": (as_device, "$: expected a regular file, found a link"),
    "a pipe": (as_pipe, "$: expected a regular file"),
    "a folder": (as_folder, "$: expected a regular file"),
    "a session that is a link": (folder_as_link, "$: expected a folder, found a link"),
    "UTF-16": (recoded("utf-16"), "$: expected UTF-8"),
    "a byte order mark": (recoded("utf-8-sig"), "$: expected JSON"),
    "10 MB": (in_raw("reason", "x" * 10_000_000), "$: expected at most 262144 bytes"),
    "much nesting": (in_text("{", '{"x": ' + "[" * 90_000), "$: expected JSON"),
    "some nesting": (in_raw("params", [[[[[[[[[[[[[]]]]]]]]]]]]]), "expected at most 10000 items and a depth of 12"),
    "a long list": (in_raw("reason", [0] * 10_001), "$.reason: expected at most 10000 items"),
    "a key twice": (
        in_text('"status"', '"status": "failed", "status"'),
        "expected every key once, found 'status' twice",
    ),
    "a key twice with colons elsewhere": (
        in_text('"status": ', '"status" :"failed","status" : '),
        "expected every key once, found 'status' twice",
    ),
    "a name as a key": (in_raw("runs", 0, "unmeasured", "alice", "unknown"), "found a person's name, a key"),
    "a name after a fine one": (in_raw("runs", 0, "unmeasured", "idle_w", "alice knows"), "found a person's name"),
    "version true": (in_raw("schema_version", True), f"expected {SCHEMA_VERSION} or an older version, found True"),
    "version 1.0": (in_raw("schema_version", 1.0), f"$.schema_version: expected {SCHEMA_VERSION}"),
    "1e999": (in_text('"total_s": ', '"total_s": 1e999, "x": '), "found Infinity"),
    "400 digits": (in_text('"n_samples_per_step": ', f'"n_samples_per_step": {"9" * 400}, "x": '), "expected"),
    "no such day": (in_raw("runs", 0, "started_at", "2026-02-31T00:00:00+00:00"), "$.runs[0].started_at: expected"),
    "a day to come": (in_raw("runs", 0, "started_at", "2099-01-01T00:00:00+00:00"), "$.runs[0].started_at: expected"),
    "before its session": (in_raw("runs", 0, "started_at", "2026-11-01T00:00:00+00:00"), "after the session's"),
    "an unknown workload": (in_raw("cell", "workload", "my-own-net"), "$.cell.workload: expected a workload of this"),
    "another kind": (in_raw("spec", "kind", "study"), "$.spec.kind: expected that of the mode"),
    "an index twice": (in_raw("runs", 1, "index", 0), "$.runs: expected every index once"),
    "another name": (lambda path: path.rename(path.with_name("notes.txt")), "expected only machine.json, session.json"),
    "a line break in a name": (lambda path: path.rename(path.with_name("a\nb.json")), r"a\nb.json: $: expected only"),
    **{
        f"{place}={value}"[-60:]: (in_raw(*place, value), said)
        for place, value, said in (
            (
                ("runs", 0, "blocks"),
                [[10**9, 0.1 + i / 1000] for i in range(5)],
                "blocks: expected at least 1e-08 s a step",
            ),
            (("runs", 0, "n_samples_per_step"), 31, "n_samples_per_step: expected the batch of 32, found 31"),
            (("runs", 0, "order"), 10**12, "$.runs[0].order: expected"),
            (("runs", 0, "warmup"), [[1, 1e6]], "warmup: expected at most the run's"),
            (("runs", 0, "latencies_s"), [1e6], "latencies_s: expected at most the run's"),
            (("runs", 0, "between_epochs_s"), [1e6], "between_epochs_s: expected at most the run's"),
            (("runs", 0, "n_blocks_dropped"), 10**12, "blocks: expected at most the run's"),
            (("runs", 0, "control_before", "seconds"), [1e6], "control_before: expected at most the run's"),
            (("runs", 0, "control_before", "seconds"), [1e-9], "expected at most 2e+13 operations a second"),
            (("runs", 0, "control_before", "n"), 512, "control_after.n: expected the 512 of before"),
            (("runs", 0, "flop_per_step"), 1e18, "blocks: expected at most 4.47e+12 operations a second"),
            (("runs", 0, "job", "reached"), False, "job.reached: expected True by its epochs, found False"),
            (("runs", 0, "job", "epochs", 0, 1), 0.99, "expected to end with the first that reaches 0.97, found more"),
            (("runs", 0, "job", "epochs", 0, 1), None, "expected the target's metric, found None"),
            (("runs", 0, "job", "epochs", 0, 3), 2.0, "job.epochs[0][3]: expected at most the epoch's"),
            (("spec", "target", "max_epochs"), 2, "job.epochs: expected at most the target's 2"),
            (("runs", 0, "energy_j"), 1e9, "energy_j: expected at most 1020 W for the run's"),
            (("runs", 0, "idle_w"), 1e5, "idle_w: expected 0.01 to 1020 W"),
            (("runs", 0, "energy_j"), 300.0, "unmeasured.energy_j: expected none beside a value"),
            (("runs", 0, "utilisation_frac"), [0.5], "utilisation_frac: expected null on the CPU"),
            (("runs", 0, "observed", "tf32"), True, "observed.tf32: expected None, found True"),
            (("runs", 0, "observed", "jit"), "off", "observed.jit: expected 'on', found 'off'"),
            (
                ("runs", 0, "observed", "layout"),
                "sideways",
                "observed.layout: expected a word of those known there, found",
            ),
            (("runs", 0, "observed", "n_cores_affinity"), 128, "expected at most the machine's 2 cores, found 128"),
            (("runs", 0, "observed", "n_physical_cores"), 3, "n_physical_cores: expected at most the 2 it may use"),
            (("runs", 0, "before", "gpu_clock_hz"), 1e9, "gpu_clock_hz: expected null on a machine without a GPU"),
            (("runs", 0, "before", "cpu_temperature_c"), 250, "cpu_temperature_c: expected"),
            (("runs", 0, "before", "n_throttled_periods"), 9, "n_throttled_periods: expected at least the 9 of before"),
            (("runs", 0, "peak_host_bytes"), 1, "peak_host_bytes: expected at least 1048576, found 1"),
            (("runs", 0, "n_params"), 10**12, "n_params: expected each in 2 of at most"),
            (("runs", 0, "reason"), "signal 11", "$.runs[0].reason: expected a text unless the status is 'ok'"),
            (("runs", 0, "status"), "failed", "$.runs[0].reason: expected a text unless the status is 'ok'"),
            (("runs", 0, "unmeasured", "nonsense"), "x", "unmeasured: expected a field's name"),
            (("runs", 1, "started_at"), "2026-11-22T04:21:51.478+00:00", "found two that start at one instant"),
            (("status",), "failed", "$.status: expected 'ok', of which 5 runs are, found 'failed'"),
            (("reason",), "it failed", "$.reason: expected an empty text where all runs are 'ok'"),
            (("runs", 0, "n_params"), 5, "$.runs: expected one n_params in all, found"),
            (("runs", 0, "phases_s"), {}, "blocks: expected steady blocks and their phase"),
            (
                ("runs", 0, "observed", "weight_dtype"),
                "int8",
                "observed.weight_dtype: expected 'float32', found 'int8'",
            ),
            (("runs", 0, "observed", "output_dtype"), "float16", "observed.output_dtype: expected 'float32'"),
            (("runs", 0, "observed", "output_dtype"), "banana", "observed.output_dtype: expected a number format"),
            (("runs", 0, "observed", "device_name"), "NVIDIA H100", "observed.device_name: expected 'CPU'"),
            (("runs", 0, "observed", "n_cores_affinity"), 1, "observed.n_cores_affinity: expected 2, found 1"),
            (("runs", 0, "control_after", "seconds"), [0.02], "control_after.seconds: expected the 5 of before"),
            (("runs", 0, "warmup"), [[1, 9.9]], "expected parts of at most the run's 10.1491 s together"),
            (("runs", 4, "total_s"), 9e6, "expected an instant after the session's"),
            (("runs", 0, "idle_w"), 5e-324, "idle_w: expected"),
            (("runs", 0, "job", "epochs"), [[1.0, 0.98, 1e-9, 0.0]], "job.epochs: expected at most 2e+13 operations"),
            (("spec", "target", "at_least"), 0.5, "$.spec.target: expected \"{'metric': 'accuracy', 'at_least': 0.97"),
            (("spec", "pretrained"), True, "$.spec.pretrained: expected 'False', found 'True'"),
            (("spec", "variants", "reference", 0, "sweep"), "buy one here", "sweep: expected a lower-case kebab id"),
            (("cell", "params"), {"gpus": "two"}, "$.cell.params.gpus: expected a whole number from 1 to 64"),
            (("cell", "n_samples"), 1441, "$.cell.n_samples: expected whole batches of 32, found 1441"),
            (("spec", "title"), "", "$.spec.title: expected"),
            (("spec", "title"), "Buy a GPU here", "$.spec.title: expected 'Convnet on handwritten digits', found 'Buy"),
            (("spec", "summary"), "CPUs are dead.", "$.spec.summary: expected"),
            (("spec", "sample_noun"), "lies", "$.spec.sample_noun: expected 'images', found 'lies'"),
            (("spec", "readings"), [{"id": "a", "label": "b", "unit": "s"}], "$.spec.readings[0]: expected one that"),
            (("source_hash",), "0" * 16, "$.source_hash: expected"),
            (("commit",), "0" * 40, "$.commit: expected"),
            (("runs", 0, "total_s"), 1e4, "expected no run before the end of that of"),
            (("spec", "variants", "smoke"), [], "$.spec.variants: expected 'reference' alone"),
            (("spec", "series"), [{"id": "a", "label": "b"}] * 2, "$.spec.series: expected every id once"),
        )
    },
    "an invented fingerprint and faster steps": (
        in_turn(in_raw("source_hash", "0123456789abcdef"), faster(200)),
        "blocks: expected at most",
    ),
    "a size of its own and faster steps": (in_turn(faster(500), own_size), "blocks: expected at most"),
    "few operations told and faster steps": (told_few, "blocks: expected at most"),
    "no size at all": (in_raw("spec", "variants", "reference", []), "$.spec.variants.reference: expected the cell's"),
    "no control kernel": (in_raw("runs", 0, "control_before", None), "expected the control kernel, at least 1024"),
    "a small control kernel": (in_raw("runs", 0, "control_before", "n", 64), "expected the control kernel, at least"),
    "an import of no time": (in_raw("runs", 0, "phases_s", "import", 0.0), "phases_s.import: expected above 0"),
    "a sensor at nought": (in_raw("runs", 0, "before", "cpu_temperature_c", 0.0), "expected null for a sensor that"),
    "a counter that stood still": (in_raw("runs", 0, "energy_j", 1e-6), "J, or null with a reason; found 1e-06"),
    "more blocks than asked for": (in_raw("runs", 0, "n_blocks_dropped", 40), "expected at most the variant's 30"),
    "blocks of other steps": (in_raw("runs", 0, "blocks", 0, 0, 1), "expected blocks of equal steps after those"),
    "no epoch": (in_raw("runs", 0, "job", "epochs", []), "$.runs[0].job.epochs: expected"),
    "a share beyond one": (in_raw("runs", 0, "job", "epochs", 0, 1, 1.5), "$.runs[0].job.epochs[0][1]: expected"),
    "a step in a hundredth of its time": (faster(100), "blocks: expected at most"),
    "a step in a millionth of its time": (faster(1e6), "blocks: expected at most"),
    "a failed run with readings": (failed_with_readings, "$.runs[0]: expected no readings of a run that is 'failed'"),
    "a failure without a run": (without_runs, "$.status: expected that of a run, or 'skipped' without any"),
    "GPUs that are no number": (
        in_turn(in_raw("cell", "device", "gpu"), in_raw("cell", "params", {"gpus": "two"})),
        "$.cell.params.gpus: expected a whole number from 1 to 64, found 'two'",
    ),
    "a GPU that is none": (in_raw("cell", "device", "gpu"), "expected a device of the machine, which has no GPU"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_record_can_be_is_refused_in_one_line(name, tmp_path):
    folder, record = a_session(tmp_path)
    assert [] == store.check(tmp_path)
    breaks, said = REFUSED[name]
    breaks(record)

    problems = store.check(tmp_path)

    assert any(said in problem for problem in problems), problems
    assert_are_lines(problems)


@pytest.mark.parametrize(
    ("name", "key", "value", "said"),
    [
        ("machine", "n_physical_cores", 4, "$.n_physical_cores: expected at most the 2 logical ones, found 4"),
        ("session", "n_cores_effective", 4, "$.n_cores_effective: expected at most the 2 that are visible, found 4"),
        ("machine", "id", "con", "$.id: expected a name that no folder or page has, found 'con'"),
        ("machine", "cpu_model", "", "$.cpu_model: expected"),
        ("machine", "cpu_flags", ["avx", "avx"], "$.cpu_flags: expected every flag once"),
        ("machine", "virtual", None, "$.unmeasured.virtual: expected the reason why virtual is null"),
        ("machine", "memory_bytes", 0, "$.unmeasured.memory_bytes: expected the reason why"),
        (
            "machine",
            "gpus",
            [{"name": "A", "memory_bytes": 2**30, "power_limit_w": 0, "driver": "1"}],
            "power_limit_w: exp",
        ),
        ("machine", "memory_bytes", 2**20, "$.memory_bytes: expected 0 or at least 67108864, found 1048576"),
        ("machine", "memory_bytes", 2**50, "$.memory_bytes: expected `int` <= 140737488355328"),
        ("machine", "cpu_flags", ["buy, now"], "$.cpu_flags[0]: expected a word of letters"),
        ("machine", "os", "", "$.os: expected"),
        ("machine", "unmeasured", {"os": "secret"}, "$.unmeasured.os: expected none beside a value"),
        (
            "session",
            "n_cores_affinity",
            8000,
            "$.n_cores_affinity: expected at most the 2 that are visible, found 8000",
        ),
        ("session", "cgroup_quota_cores", 1e-300, "$.cgroup_quota_cores: expected"),
        ("session", "plan", [{"cell_id": "buy-gpus-here", "n_repeats": 1}], "$.plan[0].cell_id: expected a cell of a"),
        ("session", "versions", {"tensorflow": "banana"}, "$.versions[...]: expected a version"),
        ("session", "versions", {"python": "99.9"}, "$.versions.python: expected one that there is, found '99.9'"),
        ("session", "versions", {"keras": "9.9.9"}, "$.versions.keras: expected one that there is, found '9.9.9'"),
        ("session", "versions", {"tensorflow": "99"}, "$.versions.tensorflow: expected one that there is"),
        (
            "session",
            "plan",
            [{"cell_id": "matmul-1", "n_repeats": 999}],
            "$.plan[0].n_repeats: expected at most the session's",
        ),
        ("session", "versions", {"commit": "192.168.0.1"}, "$.versions.commit: expected nothing that tells whose"),
        ("session", "id", "2026-11-22-1", "$.id: expected a date, or a date and a number from 2"),
        ("session", "started_at", "2025-11-22T04:21:35+00:00", "$.started_at: expected an ISO 8601 instant"),
        ("session", "n_cores_visible", 64, "$.n_cores_visible: expected at most the machine's 2, found 64"),
        ("session", "n_cores_affinity", 1, "$.n_cores_effective: expected at most the 1 of the affinity"),
        ("session", "cgroup_quota_cores", 0.1, "$.n_cores_effective: expected at most the quota's 0.1"),
        ("session", "plan", [{"cell_id": "a", "n_repeats": 1}] * 2, "$.plan: expected every cell once"),
        ("session", "versions", {"python": "3.11.7"}, "$.cell.backend: expected one of the session's versions"),
        ("session", "method_version", 99, "$.method_version: expected"),
        ("session", "commit", None, "$.unmeasured.commit: expected the reason why commit is null"),
        ("session", "environment", {"LOGNAME": "thorin"}, "$.environment: expected only variables that change results"),
        ("session", "started_at", "2026-11-21T04:21:35+00:00", "$.started_at: expected one of 2026-11-22"),
    ],
)
def test_a_machine_and_a_session_agree_with_themselves(tmp_path, name, key, value, said):
    folder, _ = a_session(tmp_path)
    in_raw(key, value)(folder / f"{name}.json")

    problems = store.check(tmp_path)

    assert any(said in problem for problem in problems), problems
    assert_are_lines(problems)


NEVER_NOTHING = ("s", "bytes_per_s", "flop_per_s", "per_s")


@pytest.mark.parametrize("workload", ["bandwidth", "copy", "gpt-decode", "memory", "matmul-copy", "rl-loop", "quota"])
def test_a_rate_or_a_time_of_nought_is_no_reading(workload):
    path = next(path for path in sorted(RESULTS.glob("*/*/*.json")) if path.name.startswith(f"{workload}-study-"))
    record = files.read(path, Record)
    units = {item.id: item.unit for item in record.spec.readings}

    for name in record.runs[0].readings:
        run = msgspec.structs.replace(record.runs[0], readings=record.runs[0].readings | {name: 0.0})
        found = list(check.semantic_problems(msgspec.structs.replace(record, runs=(run, *record.runs[1:]))))
        if units[name] in NEVER_NOTHING or (units[name] == "bytes" and name not in check.MAY_BE_NOTHING):
            assert [f"$.runs[0].readings.{name}"] == [one.partition(":")[0] for one in found]
        else:
            assert [] == found


@pytest.mark.parametrize("place", ["notes.txt", "intel-xeon-2c/notes.txt"])
def test_only_folders_lie_beside_sessions(tmp_path, place):
    a_session(tmp_path)
    (tmp_path / place).write_text("whose is this?")

    (problem,) = store.check(tmp_path)

    assert f"{place}: $: expected a folder, found a file" in problem
    assert_are_lines([problem])


def test_a_machine_is_named_by_a_slug_and_a_session_by_a_date(tmp_path):
    folder, _ = a_session(tmp_path)
    folder.rename(folder.with_name("not a date"))
    folder.parent.rename(tmp_path / '"\n---')

    problems = store.check(tmp_path)

    assert any("$.id: expected '\"" in problem for problem in problems), problems
    assert_are_lines(problems)


def assert_are_lines(problems):
    for problem in problems:
        assert len(problem) <= 300 and problem.isprintable() and problem.endswith("take the file away"), problem


WRONG_NUMBERS = ("-1", "-0.5", "-1e-3", "1e30", "1e308", "1e999", "-1e999", "NaN", "9" * 400, "true", '"1"', "[]", "{}")
WRONG_TEXTS = [text for text in PERSONAL + MARKUP[:-1] if text]
NAMED = ("id", "machine_id", "cell_id", "commit", "source_hash", "started_at", "workload")  # forms of their own
OURS = ("title", "summary", "sample_noun", "data_source", "label")  # words of a workload
MARK = "\x00here"


@st.composite
def mutants(draw, sources):
    """Name of a file of a session, its bytes with one thing changed, and whether it must be refused."""
    name = draw(st.sampled_from(sorted(sources)))
    raw = json.loads(sources[name])
    inner, key = raw, draw(st.sampled_from(sorted(raw)))
    while isinstance(inner[key], dict | list) and inner[key] and draw(st.integers(0, 9)):
        inner = inner[key]
        key = draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
    old, must = inner[key], True
    how = draw(st.sampled_from(("value", "text", "twice", "bytes", "gone")))
    if how == "twice":
        text = json.dumps(raw)
        first = draw(st.sampled_from(sorted(raw)))
        return name, f'{{"{first}": {draw(st.sampled_from(("1", "null", "[]")))}, {text[1:]}'.encode(), True
    if how == "bytes":
        data = bytearray(sources[name])
        for at in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=3)):
            data[at] = draw(st.integers(0, 255))
        return name, bytes(data[: draw(st.integers(0, len(data)))]), False
    if how == "gone":
        del inner[key]
        return name, json.dumps(raw).encode(), False
    inner[key] = MARK
    if type(old) in (int, float):
        new = draw(st.sampled_from(WRONG_NUMBERS))
    elif type(old) is str:
        forged = ("words of its own",) if key in OURS else ("0" * len(old),) if key in ("commit", "source_hash") else ()
        new = json.dumps(draw(st.sampled_from((*WRONG_TEXTS, *forged))))
    else:
        must, new = False, draw(st.sampled_from((*WRONG_NUMBERS, "null", '"x"')))
    return name, json.dumps(raw).replace(json.dumps(MARK), new).encode(), must


def tried(folder, original, name, data):
    """Problems that the gate finds with one file of the session changed."""
    path = folder / name
    path.write_bytes(data)
    try:
        problems = store.check(folder.parents[1])
        if not problems:
            store.load(folder.parents[1])
        return problems
    finally:
        path.write_bytes(original)


def of_session():
    """Files of three sessions' worth: a training with jobs, a study, a probe."""
    source = RESULTS / "intel-xeon-2c" / "2026-11-22"
    for word in ("cnn-digits-train-", "fit-return-study-", "matmul-probe-", "resnet50-infer-"):
        record = next(path for path in sorted(source.glob(f"{word}*.json")))
        yield {path.name: path.read_bytes() for path in (source / "machine.json", source / "session.json", record)}


def count(n):
    """How many of n mutants were refused and read, and what was wrong."""
    wrong = []
    counts = Counter()
    sessions = list(of_session())
    with TemporaryDirectory() as temporary:
        for number, sources in enumerate(sessions):
            folder = Path(temporary, str(number), "intel-xeon-2c", "2026-11-22")
            folder.mkdir(parents=True)
            for name, data in sources.items():
                (folder / name).write_bytes(data)

            @settings(SETTINGS, max_examples=n // len(sessions))
            @given(st.just((folder, sources)), mutants(sources))
            def tries(session, mutant):
                folder, sources = session
                name, data, must_be_refused = mutant
                try:
                    problems = tried(folder, sources[name], name, data)
                    assert_are_lines(problems)
                except Exception as error:  # noqa: BLE001  whatever it is, it is counted
                    counts["exceptions"] += 1
                    wrong.append((name, type(error).__name__, str(error)[:200], data[-300:]))
                    return
                counts["refused" if problems else "read"] += 1
                if must_be_refused and not problems:
                    counts["wrongly read"] += 1
                    wrong.append((name, data))

            tries()
    return counts, wrong


@pytest.mark.slow
def test_no_mutant_of_a_stored_session_is_wrongly_read():
    counts, wrong = count(400)

    assert [] == wrong
    assert counts["refused"] > 200 and counts["read"] > 0, "the mutants reach both ends"
