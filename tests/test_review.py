"""The review of new records: what is refused, what a person is told, a stranger's way from a clone to green checks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from bench.cli import app
from bench.records import changes, standing, store
from bench.records.standing import Standing
from bench.records.store import Results
from bench.report.claims import review as claims_review
from bench.report.evidence.evidence import Evidence
from bench.report.pages import review
from bench.schema import PlannedCell
from bench.workloads import registry
from tests.beliefs import BELIEFS
from tests.factories import (
    make_evidence,
    make_gpu,
    make_machine,
    make_record,
    make_records,
    make_results,
    make_session,
    make_session_results,
)
from tests.sites import write_results

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "records.yml"
NAME = "example-2c/2026-11-03"
KEPT = "intel-xeon-2c/2026-11-22"  # all records of others would only take longer to render


def side(day: str = "2026-11-03", machine_id: str = "example-2c", *, factor: float = 1.0, **fields):
    """A session of some small records whose steps take ``factor`` times as long as invented."""
    host = make_machine(machine_id, **fields)
    records = [
        make_record(name, step_s=factor * 0.5, n_runs=2, n_blocks=4, session_date=day[:10])
        for name in ("cnn-digits", "lstm-text", "mobilenet-v2", "resnet50", "transformer-text")
    ]
    described = make_session(records, id=day, machine_id=machine_id)
    return make_session_results(records, machine=host, session=described)


@pytest.fixture
def folders(tmp_path):
    """The records before and after, equal so far."""
    before = write_results(tmp_path / "before", Results((side(),)))
    shutil.copytree(before, tmp_path / "after")
    return before, tmp_path / "after"


def refused(folders) -> list[str]:
    found = changes.changes(*folders)
    assert not found.problems or (found.changed, found.stand_anew) == ((), ())
    assert all(len(problem) <= 300 and problem.isprintable() for problem in found.problems)
    return list(found.problems)


# What is refused.


def test_nothing_new_changes_nothing(folders):
    found = changes.changes(*folders)
    assert ((), (), ()) == (found.problems, found.changed, found.stand_anew)
    assert found.before == found.after


def test_a_new_session_and_more_records_of_a_known_one_come_in(folders):
    write_results(folders[1], Results((side("2026-11-04"),)))
    more = side("2026-11-04", "other-2c")
    write_results(folders[1], Results((more,)))
    gone = next(iter(more.records))
    shutil.copytree(folders[1] / "other-2c", folders[0] / "other-2c")
    (folders[0] / "other-2c" / "2026-11-04" / f"{gone}.json").unlink()
    found = changes.changes(*folders)
    assert () == found.problems
    assert ["example-2c/2026-11-04", "other-2c/2026-11-04"] == [session.path for session in found.changed]
    assert (2, 3) == (len(found.before.sessions), len(found.after.sessions))


def test_of_many_machines_few_are_read_and_every_standing_is_told(folders):
    for root in folders:
        write_results(root, Results((side("2026-11-01", "other-2c"),)))
    why = 'kind = "withdrawn"\nreason = "its clock stood still"\ndate = 2026-11-02\n'
    (folders[1] / "status.toml").write_text(f'["other-2c/2026-11-01"]\n{why}')

    found = changes.changes(*folders, most_machines=1)

    assert [NAME] == [session.path for session in found.before.sessions] == [one.path for one in found.after.sessions]
    assert [("other-2c/2026-11-01", "community", "withdrawn")] == [(p, a.kind, b.kind) for p, a, b in found.stand_anew]


def spoil(folder: Path, text: str) -> None:
    path = next(folder.glob("*-*.json"))
    path.write_text(path.read_text(encoding="utf-8").replace('"status": "ok"', text, 1), encoding="utf-8")


def linked(folder: Path) -> None:
    shutil.move(folder, folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


@pytest.mark.filterwarnings("ignore:.* is left out")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda after: spoil(after / NAME, '"status":  "ok"'), "expected the file as it was stored"),
        (lambda after: next((after / NAME).glob("*-*.json")).unlink(), "expected the stored file, found none"),
        (lambda after: shutil.rmtree(after / NAME), "expected the stored file, found none"),
        (lambda after: linked(after / NAME), "found a link to one"),
        (lambda after: (after / "example-2c/2026-11-05").mkdir(), "expected a session.json"),
        (lambda after: (after / "README").touch(), "expected a folder, found a file"),
        (lambda after: (after / "example-2c" / ".payload").mkdir(), "expected no hidden file or folder"),
        (lambda after: (after / NAME / ".x.json").touch(), "expected no hidden file or folder"),
        (lambda after: linked(after), "expected a folder of records, found a link to one"),
        (lambda after: (after / "::add-mask::x").touch(), r"\x3a\x3aadd-mask\x3a\x3ax: $: expected a folder"),
        (lambda after: (after / "status.toml").write_text(f'["{NAME}"]\nseed = {"9" * 6000}'), "expected TOML, found"),
        (lambda after: (after / "status.toml").write_text('["a/b"]\nkind = "reference"\n'), "none of that name"),
    ],
)
def test_what_is_no_addition_is_refused(folders, change, said):
    change(folders[1])
    assert any(said in problem for problem in refused(folders))


def test_a_file_that_became_a_link_to_something_endless_is_refused_unread(folders):
    path = next((folders[1] / NAME).glob("*-*.json"))
    path.unlink()
    path.symlink_to("/dev/zero")
    assert any("expected the file as it was stored" in problem for problem in refused(folders))


@pytest.mark.parametrize("text", ['"status": "<img src=x onerror=alert(1)>"', '"status": "gold"', '"status": 1e999'])
def test_what_the_gate_refuses_is_refused_and_shown_as_text(folders, text):
    write_results(folders[1], Results((side("2026-11-04"),)))
    spoil(folders[1] / "example-2c/2026-11-04", text)
    assert refused(folders)
    shown = review.markdown(review.review(*folders))
    assert "**Refused: 1 problem.**" in shown and "<img" not in shown


def test_a_rehearsal_is_refused(folders):
    made = side("2026-11-04")
    records = [make_record("cnn-digits", profile="smoke", n_runs=2, n_blocks=4, session_date="2026-11-04")]
    small = msgspec.structs.replace(made.session, profile="smoke")
    write_results(folders[1], Results((make_session_results(records, session=small),)))
    assert any("a rehearsal" in problem for problem in refused(folders))


def test_only_changed_sessions_go_through_the_gate(folders, monkeypatch):
    write_results(folders[1], Results((side("2026-11-04"),)))
    seen = []
    monkeypatch.setattr(store, "check", lambda root, *, only: seen.append(only) or [])
    changes.changes(*folders)
    assert [{"example-2c/2026-11-04"}] == seen


# What a person is told.


def test_rank_among_like_machines_and_among_all():
    fast, slow = side(machine_id="fast-2c", factor=0.5), side(machine_id="slow-2c", factor=2.0)
    other = side(machine_id="other-2c", factor=0.25, cpu_model="Other CPU")
    mine = side("2026-11-04")
    found = claims_review.arrival(make_evidence(fast, slow, other, mine), mine)
    like, every = found.rank
    assert "CPU: place 2 of 3 among machines of the same processor" in like
    assert "CPU: place 3 of 4 among all machines" in every
    assert "other-2c 4x" in every


def test_values_off_the_pattern_are_named():
    mine = side("2026-11-04", "mine-2c")
    records = dict(mine.records)
    name = next(name for name in records if name.startswith("lstm-text"))
    odd = make_record("lstm-text", step_s=5.0, n_runs=2, n_blocks=4, session_date="2026-11-04")
    mine = mine._replace(records=records | {name: odd})
    plain, found = (claims_review.arrival(make_evidence(side(), one), one) for one in (side("2026-11-04"), mine))
    assert any(name in line and "stand out" in line for line in found.odd)
    assert not any("stand out" in line for line in plain.odd)


def test_what_was_planned_failed_or_has_no_twin_is_missing():
    gpu = [make_record("resnet50", device="gpu", n_runs=2, n_blocks=4), make_record("lstm-text", status="failed")]
    host = make_machine("gpu-2c", gpus=(make_gpu(),))
    described = make_session(gpu, machine_id="gpu-2c")
    planned = PlannedCell(cell_id="cnn-digits-train", n_repeats=2)
    described = msgspec.structs.replace(described, plan=(*described.plan, planned))
    mine = make_session_results(gpu, machine=host, session=described)
    text = "\n".join(claims_review.arrival(make_evidence(mine), mine).missing)
    assert "1 planned cells have no record: cnn-digits-train" in text
    assert "loss is not finite" in text
    assert "measured on the GPU and not on the CPU beside it: resnet50-train" in text
    assert "backends without a measured cell: jax, torch" in text


def test_verdicts_that_turn_are_told_with_both_outcomes():
    cpu, gpu = make_results(gpu=True, n_runs=2, n_blocks=4).sessions
    before, after, doubted = (
        Evidence(Results((cpu, *more)), registry.workloads())
        for more in ((), (gpu,), (gpu._replace(standing=UNVERIFIED),))
    )
    turned, _ = claims_review.turns(before, after, BELIEFS, {})
    assert turned and all(one.before != one.after and one.sentence for one in turned)
    kept, _ = claims_review.turns(before, doubted, BELIEFS, {})
    assert () == kept
    assert ((), 0) == claims_review.turns(after, after, BELIEFS, {})


UNVERIFIED = Standing(kind="unverified", reason="too good")
DOCS = {
    "index.md": "---\ntitle: Home\nid: home\n---\n\nText.\n",
    "method/x.md": '---\ntitle: X\nid: x\n---\n\n{{ table("machines") }} {{ chart("matmul-rate") }}\n',
    "method/y.md": "---\ntitle: Y\nid: y\n---\n\nNothing measured.\n",
}


@pytest.fixture
def docs(tmp_path):
    """Three pages, of which one shows machines."""
    (tmp_path / "docs" / "method").mkdir(parents=True)
    for path, text in DOCS.items():
        (tmp_path / "docs" / path).write_text(text, encoding="utf-8")
    return tmp_path / "docs"


def test_pages_that_change_and_pages_that_are_new_are_listed(folders, docs):
    write_results(folders[1], Results((side(machine_id="other-2c"),)))
    found = review.review(*folders, docs)
    assert () == found.problems
    assert ("index.md", "method/x.md") == found.changed_pages  # the first counts machines
    assert {"machines/other-2c.md", "evidence/other-2c/2026-11-03/resnet50.md"} <= set(found.new_pages)
    assert not [path for path in found.new_pages if "example-2c" in path]


def test_a_withdrawal_is_told_with_its_reason_and_with_what_it_turns(tmp_path, docs):
    cpu, gpu = make_results(gpu=True, n_runs=2, n_blocks=4, workloads=("resnet50", "cnn-digits")).sessions
    before = write_results(tmp_path / "before", Results((cpu, gpu)))
    shutil.copytree(before, tmp_path / "after")
    entry = f'["{gpu.path}"]\nkind = "withdrawn"\nreason = "its clock stood still"\ndate = 2026-11-29\n'
    (tmp_path / "after" / standing.FILE).write_text(entry, encoding="utf-8")
    found = review.review(before, tmp_path / "after", docs)
    shown = review.markdown(found)
    assert [gpu.path] == [path for path, _, _ in found.stand_anew]
    assert () == found.arrivals and found.turned
    assert "community: sent in and accepted → withdrawn since 2026-11-29 (its clock stood still)" in shown


# The command, and the way of a stranger.


def test_the_command_refuses_with_1_and_prints_json(folders):
    (folders[1] / "README").touch()
    arguments = ["check", "--results", str(folders[1]), "--against", str(folders[0])]
    shown, plain = (CliRunner().invoke(app.app, [*arguments, *more]) for more in ([], ["--json"]))
    assert 1 == shown.exit_code == plain.exit_code
    assert "Refused" in shown.stdout
    assert "README" in json.loads(plain.stdout)["problems"][0]


@pytest.mark.parametrize("against", ["no-such-branch", "--output=x"])
def test_what_is_neither_a_folder_nor_a_commit_is_refused(folders, against):
    done = CliRunner().invoke(app.app, ["check", "--results", str(folders[1]), f"--against={against}"])
    assert 2 == done.exit_code and "neither" in done.stderr


def run(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A shell command as a person or GitHub runs it, with this Python first."""
    own = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_CONFIG_GLOBAL": os.devnull}
    own |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org", "PYTHONPATH": ""}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=folder, env=os.environ | own | {"PATH": path} | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip


def must(command: str, folder: Path, **variables: str) -> str:
    done = run(command, folder, **variables)
    assert 0 == done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A stranger's clone of this working tree with one session's records, and the repository that it is a clone of."""
    if shutil.which("git") is None or shutil.which("bash") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    folder = tmp_path_factory.mktemp("stranger")
    listed = must("git ls-files -co --exclude-standard -z", ROOT).split("\0")
    for name in filter(None, listed):
        is_kept = not name.startswith("bench/results/") or name.startswith(f"bench/results/{KEPT}/")
        if is_kept and (ROOT / name).is_file():
            (folder / "origin" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "origin" / name)
    must("git init -qb main && git add -A && git commit -qm all", folder / "origin")
    must("git clone -q origin clone", folder)
    return folder


def checks(folder: Path, branch: str) -> tuple[int, str]:
    """Exit code and summary of the workflow's own commands, on a branch of the clone."""
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["review"]["steps"]
    taken = [step["with"] for step in steps if step.get("uses", "").startswith("actions/checkout")]
    assert ["${{ github.event.pull_request.base.sha }}", None] == [one.get("ref") for one in taken]
    work, summary = folder / f"work-{branch}", folder / f"summary-{branch}.md"
    must(f"git clone -q origin {work.name}", folder)
    must(f"git clone -q --branch {branch} {folder / 'clone'} {taken[1]['path']}", work)
    summary.touch()
    for step in steps:
        if "run" in step and "pip install" not in step["run"]:
            done = run(step["run"], work, GITHUB_STEP_SUMMARY=str(summary))
            if done.returncode:
                return done.returncode, summary.read_text(encoding="utf-8")
    return 0, summary.read_text(encoding="utf-8")


def test_a_stranger_comes_from_a_clone_to_green_checks(stranger):
    clone = stranger / "clone"
    records = make_records(workloads=("resnet50",), backends=("tensorflow",), n_runs=2, n_blocks=4)
    host = make_machine("stranger-2c", cpu_model="Stranger CPU")
    made = make_session(records, machine_id=host.id)
    mine = make_session_results(records, machine=host, session=made, is_local=True)
    write_results(clone / "bench" / "results", Results((mine,)))

    steps = json.loads(must("python -m bench.cli export --json", clone))["pull_request"]
    for step in steps:
        must(step.replace("git push -u origin", "git push -q origin"), clone)

    assert "" == must("git status --porcelain", clone)
    branch = must("git branch --show-current", clone).strip()
    code, summary = checks(stranger, branch)
    assert 0 == code, summary
    assert "### stranger-2c/2026-11-03" in summary
    assert "Stranger CPU, 2 cores; profile reference; kind community" in summary
    assert "### Verdicts that would flip" in summary and "machines/stranger-2c.md" in summary


def test_an_edited_record_is_red(stranger):
    clone = stranger / "clone"
    must("git switch -qc edited origin/main", clone)
    edited = sorted((clone / "bench" / "results").glob("*/*/*-*.json"))[0]
    edited.write_text(edited.read_text(encoding="utf-8") + " ", encoding="utf-8")
    must("git commit -qam faster", clone)
    code, summary = checks(stranger, "edited")
    assert 1 == code
    assert "Refused" in summary and edited.name[:40] in summary
    must("git switch -q main", clone)


def test_the_workflow_has_no_secret_and_no_right_to_write():
    text = WORKFLOW.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert "pull_request_target" not in text and "secrets" not in text and "token" not in text
    assert {"contents": "read"} == workflow["jobs"]["review"]["permissions"]
    assert all(step["with"]["persist-credentials"] is False for step in workflow["jobs"]["review"]["steps"][:2])


# Export.


def test_an_export_is_what_take_files(tmp_path):
    root = write_results(tmp_path / "results", Results((side(),)))
    out = tmp_path / "mine.tgz"
    done = CliRunner().invoke(app.app, ["export", NAME, "--results", str(root), "--out", str(out)])
    assert 0 == done.exit_code, done.output
    assert "5 records" in done.stdout and "nothing was uploaded" in done.stdout
    assert "git switch -c results-example-2c-2026-11-03" in done.stdout and 'the form "A new machine"' in done.stdout
    elsewhere = tmp_path / "elsewhere"
    assert 0 == CliRunner().invoke(app.app, ["take", str(out), "--results", str(elsewhere)]).exit_code
    assert store.load(root) == store.load(elsewhere)


def test_the_issue_form_that_an_export_names_exists():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/new-machine.yml").read_text(encoding="utf-8"))
    assert "A new machine" == form["name"]
    assert "Records" in [field.get("attributes", {}).get("label") for field in form["body"]]


@pytest.mark.parametrize(
    ("session", "said"), [("other/2026-11-03", "session"), ("", "a rehearsal")], ids=["unknown", "smoke"]
)
def test_what_cannot_be_sent_is_not_packed(tmp_path, session, said):
    records = [make_record("cnn-digits", profile="smoke", n_runs=2, n_blocks=4)]
    described = make_session(records, profile="smoke")
    root = write_results(tmp_path / "results", Results((make_session_results(records, session=described),)))
    arguments = ["export", *filter(None, [session]), "--results", str(root), "--out", str(tmp_path / "x.tgz")]
    done = CliRunner().invoke(app.app, arguments)
    assert 2 == done.exit_code and said in done.stderr
    assert not (tmp_path / "x.tgz").exists()
