"""What must hold of the repository as a whole: nothing personal, nothing unpinned, every command documented."""

from __future__ import annotations

import ast
import getpass
import json
import re
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from bench.schema import METHOD_VERSIONS

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
TARGETS = ("site", "serve", "refresh", "test", "lock")

# Put together from parts, so that this file does not contain what it looks for.
INDEX_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian", "org"),
        ("packages", "debian", "org"),
    )
)
MACHINE_PATH = re.compile(
    r"(?<![\w.$}/-])/(?:" + "|".join(("work", "root", "home", "Users", "opt/wheels")) + r")/[\w.]"
)
# Accounts that name nobody.
SHARED_ACCOUNTS = {
    "root",
    "runner",
    "user",
    "ubuntu",
    "debian",
    "admin",
    "builder",
    "docker",
    "jenkins",
    "ci",
    "nobody",
}


def tracked_files() -> list[str]:
    """Every file that git tracks; skips outside a clone."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def tracked_text() -> list[tuple[str, str]]:
    """Name and text of every tracked text file."""
    found = []
    for name in tracked_files():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data:
            found.append((name, data.decode("utf-8", errors="replace")))
    return found


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern occurs: "file:line: text"."""
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in tracked_text()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_index():
    assert [] == lines_with(re.compile("|".join(map(re.escape, INDEX_HOSTS)), re.IGNORECASE))


def test_no_file_names_a_path_of_the_machine_it_was_made_on():
    assert [] == lines_with(MACHINE_PATH)


@pytest.mark.parametrize("line", ['"/' + "home/ada/x.json" + '"', "see /" + "root/.cache", "open(/" + "work/a)"])
def test_planted_machine_path_is_caught(line: str):
    assert MACHINE_PATH.search(line)


@pytest.mark.parametrize(
    "line", ["bench/workloads/x.py", "https://example.org/" + "home/page", "$HOME/" + "root/x", "a/" + "work/b"]
)
def test_what_only_looks_like_a_machine_path_passes(line: str):
    assert not MACHINE_PATH.search(line)


def test_no_record_names_the_host_or_the_user_it_was_made_by():
    names = {socket.gethostname(), socket.gethostname().split(".")[0], getpass.getuser()}
    personal = {name for name in names if len(name) > 3 and name.lower() not in SHARED_ACCOUNTS | {"localhost"}}
    records = [name for name in tracked_files() if name.startswith("bench/results/") and name.endswith(".json")]

    found = [
        (record, name)
        for record in records
        for name in personal
        if re.search(rf"\b{re.escape(name)}\b", (ROOT / record).read_text(encoding="utf-8"))
    ]

    assert [] == found


def test_no_record_has_a_key_for_a_host_or_a_user():
    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(keys, value.values()))
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    forbidden = {"host", "hostname", "host_name", "user", "username", "user_name", "home", "cwd", "ip", "mac", "uuid"}
    for name in tracked_files():
        if name.startswith("bench/results/") and name.endswith(".json"):
            assert set() == forbidden & keys(json.loads((ROOT / name).read_text(encoding="utf-8"))), name


def test_what_a_visitor_makes_is_ignored():
    tracked_files()
    made = [
        ".venv/bin/python",
        "site/index.html",
        ".cache/plugin/x",
        "bench/results/local/some-machine/2026-01-01/machine.json",
        "bench/results/some-machine/2026-01-01/.runs/x.json",
        "bench/__pycache__/schema.pyc",
        ".pytest_cache/x",
        ".ruff_cache/x",
    ]

    done = subprocess.run(["git", "check-ignore", *made], cwd=ROOT, capture_output=True, text=True, check=False)

    assert made == done.stdout.splitlines()


def test_nothing_tracked_is_ignored():
    tracked_files()

    done = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "" == done.stdout


# Locks


def requirements(lock: Path) -> dict[str, str]:
    """Each requirement of a lock, as its first line, with everything that belongs to it."""
    text = re.sub(r"^\s*#.*\n?", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    entries = [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip()]
    return {entry.split(" --hash")[0].strip(): entry for entry in entries}


def versions(lock: Path) -> set[tuple[str, str]]:
    """Name and version of everything a lock holds."""
    return {tuple(entry.split(" ;")[0].strip().split("==")) for entry in requirements(lock)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_pins_every_requirement_to_a_version_and_hashes(lock: Path):
    entries = requirements(lock)

    assert entries
    for first, entry in entries.items():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.+!]+( ; .+)?", first), first
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), first


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_names_no_index_and_no_file(lock: Path):
    assert [] == re.findall(r"(?im)^.*(?:://|--index|--extra|--find-links|--trusted| @ |file:).*$", lock.read_text())


def test_locks_agree_on_versions():
    full = versions(ROOT / "requirements/full.txt")
    names = {name for name, _ in full}
    for other in ("site.txt", "jax.txt", "cuda.txt", "slurm.txt"):
        shared = {(name, version) for name, version in versions(ROOT / "requirements" / other) if name in names}

        assert shared <= full, other


def test_site_lock_holds_no_framework():
    assert set() == {name for name, _ in versions(ROOT / "requirements/site.txt")} & {
        "keras", "tensorflow", "jax", "jaxlib", "torch"
    }  # fmt: skip


def test_no_lock_holds_a_fork_of_the_site_generator():
    for lock in LOCKS:
        held = dict(versions(lock))
        if "mkdocs" in held:
            assert held["mkdocs"].startswith("1.")
            assert {"mkdocs"} == {name for name in held if re.fullmatch(r"(pro)?mkdocs|properdocs", name)}


def test_every_direct_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for e in ("bench", "energy", "site", "dev") for line in extras[e])]

    names = {re.match(r"[\w-]+", line).group() for line in wanted}

    assert set() == names - {name for name, _ in versions(ROOT / "requirements/full.txt")}


# Commands


def makefile_targets() -> list[str]:
    """The targets that are commands, in the order of the Makefile."""
    line = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return line.group(1).split()


def test_makefile_has_exactly_the_five_targets():
    assert list(TARGETS) == makefile_targets()


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_documented_in_the_readme(target: str):
    assert f"make {target}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_starts_with_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert 0 <= text.find("make site") < text.find("make test")


def test_ci_script_is_executable_and_runs_the_target():
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & 0o111
    assert "make --no-print-directory test" in script.read_text(encoding="utf-8")


# Changelog

CHANGE_GROUPS = ("Added", "Changed", "Fixed", "Method")
# "## 2026-11-29", or with the package's version before it: "## 0.1.0 - 2026-11-21".
CHANGES_HEADING = re.compile(r"## (?:(?P<version>\d+\.\d+\.\d+) - )?(?P<date>\d{4}-\d{2}-\d{2})")
METHOD_LINE = re.compile(r"- (?:Method (?P<version>\d+)(?:, [^:]+)?|Reading, [^:]+): \S")


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def changelog_problems(text: str) -> Iterator[str]:
    """What breaks the form of the changelog, with the line where it stands."""
    dates: list[date] = []
    groups: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > 160:
            yield f"{number}: {len(line)} characters, more than 160"
        if line.startswith("## "):
            groups = []
            if not (heading := CHANGES_HEADING.fullmatch(line)):
                yield f"{number}: no date in {line!r}"
                continue
            dates.append(date.fromisoformat(heading["date"]))
            if dates != sorted(set(dates), reverse=True):
                yield f"{number}: not older than the section above"
        elif line.startswith("### "):
            groups.append(line.removeprefix("### "))
            if groups != [group for group in CHANGE_GROUPS if group in groups]:
                yield f"{number}: groups {groups}, not {CHANGE_GROUPS} in this order"
        elif line.startswith("- ") and not groups:
            yield f"{number}: in no group"
        elif line.startswith("- ") and groups[-1] == "Method" and not METHOD_LINE.match(line):
            yield f"{number}: names neither the method's version nor a reading"


def methods_in(text: str) -> set[int]:
    """Method versions that have a line in a group of that name."""
    groups = re.findall(r"^### Method\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    lines = [METHOD_LINE.match(line) for group in groups for line in group.splitlines()]
    return {int(line["version"]) for line in lines if line and line["version"]}


def test_changelog_is_dated_newest_first_in_short_lines():
    assert [] == list(changelog_problems(changelog()))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("## 2026-11-22\n\n### Added\n\n- " + "x" * 159, "161 characters"),
        ("## Unreleased", "no date"),
        ("## 0.2.0", "no date"),
        ("## 2026-11-21\n## 2026-11-22", "not older"),
        ("## 2026-11-21\n## 0.1.0 - 2026-11-21", "not older"),
        ("## 2026-11-21\n- A line.", "in no group"),
        ("## 2026-11-21\n### Security", "in this order"),
        ("## 2026-11-21\n### Method\n### Added", "in this order"),
        ("## 2026-11-21\n### Method\n- The clock stops later.", "neither"),
    ],
)
def test_planted_problem_of_the_changelog_is_found(text: str, problem: str):
    (found,) = changelog_problems(text)

    assert problem in found


def test_changelog_has_a_section_for_the_package_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

    assert version in {heading["version"] for heading in CHANGES_HEADING.finditer(changelog())}


def test_each_method_version_has_a_line_under_method():
    assert set(range(1, max(METHOD_VERSIONS.values()) + 1)) == methods_in(changelog())


def test_method_version_outside_its_group_does_not_count():
    assert {2} == methods_in(
        "### Added\n- Method 3: x\n### Method\n\n- Method 2, a: x\n- Reading, b: x\n## 2026-11-21\n- Method 1: x"
    )


# GitHub


WRITES = {  # what a job may change; every other may change nothing
    ("site", "publish"): {"pages", "id-token"},
    ("health", "data"): {"issues"},
    ("release", "release"): {"contents"},
}


LONG = {("machines", "measure"): 360}  # measures on machines of one's own; minutes


def uses(node: object) -> list[str]:
    """Every action a workflow uses."""
    if isinstance(node, dict):
        own = [node["uses"]] if isinstance(node.get("uses"), str) else []
        return own + [found for value in node.values() for found in uses(value)]
    return [found for value in node for found in uses(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_pins_actions_by_commit_and_names_their_version(path: Path):
    text = path.read_text(encoding="utf-8")
    actions = uses(yaml.safe_load(text))

    assert actions or path.name == "dependencies.yml"  # which asks GitHub's own program
    for action in actions:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.search(re.escape(action) + r"  # v\d+\.\d+\.\d+$", text, re.MULTILINE), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_grants_least_permissions(path: Path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert {} == workflow["permissions"]
    for name, job in workflow["jobs"].items():
        assert job["permissions"], name
        assert job["timeout-minutes"] <= LONG.get((path.stem, name), 30), name
        writes = {scope for scope, access in job["permissions"].items() if access == "write"}
        assert writes == WRITES.get((path.stem, name), set()), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_puts_no_foreign_text_into_a_shell(path: Path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    scripts = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]

    assert [] == [script for script in scripts if "${{" in script]


@pytest.mark.skipif(shutil.which("bash") is None, reason="the step is a shell script")
@pytest.mark.parametrize(
    ("answer", "outputs", "said"),
    [
        ("echo 'workflow https://ada.example/gpu/'", "pages=on\nbase_url=https://ada.example/gpu\n", ""),
        ("echo 'legacy https://ada.example/gpu/'", "", "Settings > Pages > Build and deployment > Source"),
        ('echo \'{"status": "404"}\'; exit 1', "", "Settings > Pages > Build and deployment > Source"),
    ],
    ids=["on", "from-a-branch", "never-switched-on"],
)
def test_a_fresh_copy_builds_without_pages_and_says_what_to_switch_on(tmp_path: Path, answer, outputs, said):
    """R20: a repository with Pages never switched on was red at "configure-pages", before the build and its tests."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8"))
    (step,) = [step for step in workflow["jobs"]["build"]["steps"] if step.get("id") == "pages"]
    gh = tmp_path / "gh"
    gh.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    gh.chmod(0o755)
    (tmp_path / "out").touch()
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_REPOSITORY": "ada/gpu", "GITHUB_OUTPUT": str(tmp_path / "out")}

    done = subprocess.run(["bash", "-e", "-c", step["run"]], env=env, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert outputs == (tmp_path / "out").read_text(encoding="utf-8")
    assert said in done.stdout and bool(said) == ("::warning" in done.stdout)


def test_a_copy_is_published_only_where_pages_is_on():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8"))

    assert "needs.build.outputs.pages == 'on'" == workflow["jobs"]["publish"]["if"]
    assert not [action for action in uses(workflow) if action.startswith("actions/configure-pages")]


def test_every_system_is_measured_by_a_workflow():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "keras-smoke.yml").read_text(encoding="utf-8"))

    systems = {arm["system"].split("-")[0] for arm in workflow["jobs"]["smoke"]["strategy"]["matrix"]["include"]}

    assert {"ubuntu", "windows", "macos"} == systems


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_installs_from_locks_only(path: Path):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    jobs.pop("canary", None)  # tries what no lock holds yet; has no rights and may fail
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "pip install" in step.get("run", "")]
    installs = [line for step in steps for line in step.splitlines() if "pip install" in line]

    own = "--no-deps --no-build-isolation --editable ."  # this checkout's command, which fetches nothing
    assert [] == [line for line in installs if "--require-hashes -r" not in line and not line.endswith(own)]


def test_a_machine_of_ones_own_runs_only_what_is_asked_for_by_hand():
    """Anybody may open a pull request, and what it says would run there."""
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        if any("self-hosted" in job["runs-on"] for job in workflow["jobs"].values()):
            assert ["workflow_dispatch"] == list(workflow[True]), path.name  # YAML reads "on" as a yes


def test_each_runner_that_is_named_measures_and_keeps_its_pack():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "machines.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["measure"]

    assert ["self-hosted", "${{ matrix.label }}"] == job["runs-on"]
    assert "${{ fromJSON(inputs.labels) }}" == job["strategy"]["matrix"]["label"]
    locks = workflow[True]["workflow_dispatch"]["inputs"]["lock"]["options"]
    assert set(locks) <= {path.stem for path in LOCKS}
    kept = job["steps"][-1]
    assert kept["uses"].startswith("actions/upload-artifact@")
    assert {"${{ matrix.label }}", "${{ runner.temp }}/results.tgz"} < set(kept["with"].values())


@pytest.mark.parametrize(("name", "job"), [("health", "canary"), ("site", "zensical")])
def test_a_look_ahead_may_fail_and_change_nothing(name: str, job: str):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))

    assert workflow["jobs"][job]["continue-on-error"] is True
    assert {"contents": "read"} == workflow["jobs"][job]["permissions"]
    assert not [one for one in workflow["jobs"].values() if job in one.get("needs", ())]


@pytest.mark.parametrize("path", [p for p in FORMS if p.name != "config.yml"], ids=lambda path: path.name)
def test_issue_form_is_complete(path: Path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len(fields) == len({field["id"] for field in fields})
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_there_is_a_form_for_each_reason_to_write():
    assert {"wrong-number.yml", "new-machine.yml", "question.yml"} <= {path.name for path in FORMS}
    assert (ROOT / ".github" / "pull_request_template.md").is_file()


# A command within code, up to what ends it there.
OURS = re.compile(r"(?:python -m bench\.cli|gpu-bench) ([a-z-]+)([^`#\n|&]*)")


def test_every_command_that_people_are_told_exists_with_its_options():
    """Documents, forms and the README name no command and no option that is not there."""
    from typer.main import get_command

    from bench.cli.app import app

    commands = get_command(app).commands
    places = [
        ROOT / "README.md",
        *FORMS,
        *WORKFLOWS,
        ROOT / ".github/pull_request_template.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    found = [(path, *match.groups()) for path in places for match in OURS.finditer(path.read_text(encoding="utf-8"))]

    assert len(found) > 40
    for path, name, rest in found:
        assert name in commands, (path.name, name)
        known = {option for parameter in commands[name].params for option in parameter.opts} | {"--help"}
        assert set() == set(re.findall(r"(?<!\S)--[a-z-]+", rest)) - known, (path.name, name)


def test_code_and_data_have_their_licences():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert "CC0 1.0 Universal" in (ROOT / "LICENSE-DATA").read_text(encoding="utf-8")
    assert "1.2.0" == yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["cff-version"]


def test_a_release_carries_the_archive_that_the_build_makes():
    pytest.importorskip("polars")
    from bench.report.pages import downloads

    assert f"cp site/{downloads.ARCHIVE} " in (ROOT / ".github" / "workflows" / "release.yml").read_text(
        encoding="utf-8"
    )


def test_no_module_and_no_function_grows_beyond_what_one_reads_at_once():
    long = []
    for path in (*(ROOT / "bench").rglob("*.py"), *(ROOT / "scripts").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if (n := text.count("\n")) > (410 if "bench" in path.relative_to(ROOT).parts else 160):
            long.append(f"{path.relative_to(ROOT)}: {n} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60:
                long.append(f"{path.relative_to(ROOT)}: {node.name} has {node.end_lineno - node.lineno + 1} lines")

    assert not long, "\n".join(long)
