"""Pages: the same through every door, honest when a record goes, different when a time changes."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.records import files as records_files
from bench.records import store
from bench.report.pages import addresses, build, cache, context, menu, plain, render, workers, workload_pages
from bench.report.pages.addresses import Pages
from bench.report.pages.calls import Voice
from bench.report.prose import source

pytest.importorskip("altair")
pytest.importorskip("jinja2")

from bench.records.store import Results
from bench.report.evidence.evidence import Evidence
from bench.report.published import figures as published
from bench.workloads import registry
from tests.factories import made, make_record, make_results, make_session_results
from tests.sites import ROOT, Sites, write_results

DOCS = ROOT / "docs"


def write_docs(folder: Path, body: str, *, name: str = "faq/q.md", head: str = "title: Why?\nid: q\n") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\n{head}---\n\n{body}\n", encoding="utf-8")
    return folder


def results_with(folder: Path, *records) -> Path:
    return write_results(folder, Results((make_session_results(records),) if records else ()))


def page_of(tmp_path: Path, body: str, *records, name: str = "faq/q.md", head: str = "title: Why?\nid: q\n") -> str:
    """One page by itself: its text is that of a whole build."""
    docs, root = write_docs(tmp_path / "docs", body, name=name, head=head), results_with(tmp_path / "results", *records)
    site = context.Site(docs, Evidence(store.load(root), registry.workloads()))
    site.check_heads()
    return "".join(render.render(site, site.sources[name]))


@pytest.fixture(scope="module")
def unmeasured(sites: Sites) -> Pages:
    """Every page and file of a site without records."""
    return build.build(DOCS, sites.results("none"))


@pytest.mark.browser(needs_chromium=False)  # whole sites
def test_the_same_pages_come_out_by_hand_and_in_another_process(tmp_path: Path, sites: Sites, unmeasured: Pages):
    out = tmp_path / "out"

    subprocess.run(
        [sys.executable, "scripts/gen_pages.py", "--out", str(out), "--results", str(sites.results("none"))],
        cwd=ROOT, check=True, timeout=300,
    )  # fmt: skip

    for path, content in unmeasured.items():
        data = content if isinstance(content, bytes) else content.encode()
        assert data == (out / "docs" / path).read_bytes(), path
    assert (out / "docs/assets/css/site.css").is_file()
    assert not (out / "docs/_ids.toml").exists()
    settings = json.loads((out / "mkdocs.yml").read_text(encoding="utf-8"))
    assert menu.navigation(unmeasured) == settings["nav"]
    assert not {"hooks", "watch"} & settings.keys() and "custom_dir" not in settings["theme"]


def test_a_number_links_to_its_evidence(tmp_path: Path):
    record = make_record("resnet50")

    text = page_of(tmp_path, 'It trains {{ fact("resnet50-train-cpu-throughput") }}.', record)

    assert f'href="../../evidence/example-2c/2026-11-03/resnet50/#{record.cell.id}"' in text
    assert f'data-cells="example-2c/2026-11-03/{record.cell.id}"' in text


@pytest.mark.slow
@pytest.mark.usefixtures("without_workload_pages")
def test_removing_a_record_makes_the_page_say_so(tmp_path: Path):
    body = 'It trains {{ fact("resnet50-train-cpu-throughput") }}.'
    record = make_record("resnet50")
    docs, root = write_docs(tmp_path / "docs", body), results_with(tmp_path / "results", record, make_record("matmul"))
    before = build.build(docs, root)["faq/q.md"]

    next(root.rglob(f"{record.cell.id}.json")).unlink()
    after = build.build(docs, root)

    assert "images/s" in before
    assert '<span class="missing">not measured yet</span>.' in after["faq/q.md"]
    assert "images/s" not in after["faq/q.md"]
    assert not any(record.cell.id in path for path in after)


@pytest.mark.slow
@pytest.mark.usefixtures("without_workload_pages")
def test_editing_times_changes_sentence_chart_and_data(tmp_path: Path):
    body = 'It trains {{ fact("resnet50-train-cpu-throughput") }}.\n\n{{ chart("speed-by-workload") }}'
    docs = write_docs(tmp_path / "docs", body)
    root = results_with(tmp_path / "results", make_record("resnet50", step_s=2.0, jitter_frac=1e-6))
    before = build.build(docs, root)
    path = next(p for p in root.rglob("*.json") if p.name.startswith("resnet50"))
    record = records_files.read(path, type(make_record("resnet50")))
    runs = tuple(
        msgspec.structs.replace(
            run,
            blocks=tuple(msgspec.structs.replace(b, seconds=b.seconds * 2) for b in run.blocks),
            phases_s={name: seconds * 2 for name, seconds in run.phases_s.items()},
            total_s=run.total_s * 2,
            started_at=f"2026-11-04T{run.index:02d}:00:00+00:00",
        )
        for run in record.runs
    )

    path.unlink()
    store.write_record(path.parent, msgspec.structs.replace(record, runs=runs))
    after = build.build(docs, root)

    assert ">4 images a second<" in before["faq/q.md"] and "4.00 images/s (" in before["faq/q.md"]
    assert ">2 images a second<" in after["faq/q.md"] and "2.00 images/s (" in after["faq/q.md"]
    for name in ("faq/q.md", "data/charts/speed-by-workload.csv", "data/answers.json"):
        assert before[name] != after[name]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('one\n\n{{ fact("resnet50-train-speedups") }}', r"docs/faq/q\.md:8: no fact 'resnet50-train-speedups'"),
        ('{{ chart("speed") }}', r"docs/faq/q\.md:6: unknown chart 'speed'"),
        ('one\n{{ table("headlines") }}', r"docs/faq/q\.md:7: .*headlines"),
        ('{{ published("nobody") }}', r"docs/faq/q\.md:6: no published row 'nobody'"),
        ('{{ verdict("maybe") }}', r"docs/faq/q\.md:6: .*maybe"),
        ('{{ rerun("resnet5") }}', r"docs/faq/q\.md:6: unknown workload 'resnet5'"),
        ("{{ facts }}", r"docs/faq/q\.md:6: 'facts' is undefined"),
        ("one\n{{ fact( }}", r"docs/faq/q\.md:7: "),
    ],
)
def test_an_error_names_file_and_line(tmp_path: Path, body: str, message: str):
    with pytest.raises(source.PageError, match=message):
        page_of(tmp_path, body)


# Bad input stops the build with file, line and what to do.


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"faq/q.md": "Yes.\n"}, r"docs/faq/q\.md:1: the page has no front matter; begin it with ---"),
        ({"faq/q.md": "---\nid: q\n---\n\nYes.\n"}, r"docs/faq/q\.md:1: the front matter has no title; add it"),
        (
            {"faq/a.md": "---\ntitle: A?\nid: q\n---\n", "faq/q.md": "---\ntitle: Q?\nid: q\n---\n"},
            r"docs/faq/q\.md:3: id 'q' is that of docs/faq/a\.md; give this page another",
        ),
        (
            {"misconceptions/q.md": "---\ntitle: Q\nid: q\nverdict:\n  judge: course_job\n---\n"},
            r"docs/misconceptions/q\.md:5: verdict\.judge: unknown judge 'course_job'; near ones: course_jobs",
        ),
        (
            {"faq/q.md": "---\ntitle: Q?\nid: q\nworkloads: [resnet5]\n---\n"},
            r"q\.md:4: unknown workload 'resnet5'; near ones: resnet50",
        ),
        (
            {"_ids.toml": '[answers]\ngone = { page = "faq/gone.md", since = 2026-11-21 }\n'},
            r"docs/_ids\.toml:1: id 'gone' of answers was removed: .*; ids are permanent, bring it back",
        ),
        ({"_ids.toml": "[answers]\nq = {}\nq = {}\n"}, r"docs/_ids\.toml:3: .*; an id may stand there once"),
        (
            {
                "faq/q.md": "---\ntitle: Q?\nid: q\n---\n",
                "faq/new.md": "---\ntitle: N?\nid: new\n---\n",
                "_ids.toml": '[answers]\nq = { page = "faq/q.md", since = 2026-11-21 }\n',
            },
            r"docs/faq/new\.md:3: id 'new' is not in docs/_ids\.toml; add it there",
        ),
    ],
)
def test_bad_input_stops_the_build(tmp_path: Path, files: dict[str, str], message: str):
    for name, text in files.items():
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    with pytest.raises(source.PageError, match=message):
        build.build(tmp_path / "docs", results_with(tmp_path / "results"))


def test_a_claim_whose_rule_names_a_missing_workload_stops_the_build(tmp_path: Path, monkeypatch):
    first = published.claims()[0]
    broken = msgspec.structs.replace(first, rule=published.ClaimRule(facts=("resnet51-train-speedup",), at_least=1.0))
    monkeypatch.setattr(published, "claims", lambda: (broken,))

    message = (
        rf"docs/faq/q\.md:6: bench/published/claims\.yaml:\d+: claim '{first.id}': no fact 'resnet51-train-speedup'; "
        r"near ones: resnet50-train-speedup.*; correct its rule"
    )
    with pytest.raises(source.PageError, match=message):
        page_of(tmp_path, "{{ claims_table() }}")


def test_a_fact_without_records_never_stops_the_build(tmp_path: Path):
    assert "not measured yet" in page_of(tmp_path, 'It is {{ fact("resnet50-train-speedup") }}.')


@pytest.mark.usefixtures("without_workload_pages")
def test_a_number_can_be_cited_where_it_leads(tmp_path: Path):
    record = make_record("resnet50")
    docs = write_docs(tmp_path / "docs", '{{ fact("resnet50-train-cpu-throughput") }}')
    built = build.build(docs, results_with(tmp_path / "results", record), address="https://example.org/")

    at = "evidence/example-2c/2026-11-03/resnet50"
    cited = re.findall(r"Cite this number</summary>(.*?)</details>", built[f"{at}.md"], re.S)
    assert 1 == len(cited)
    for part in ("images/s", "n = 5", "@misc{", f"https://example.org/{at}/#{record.cell.id}", "commit "):
        assert part in html.unescape(cited[0])
    assert "resnet50-train-cpu-throughput" in built["evidence/facts.md"]


def test_a_verdict_says_what_it_does_not_rest_on(tmp_path: Path):
    record = make_record("transfer-2000", backend="tensorflow", jit="off")
    docs = write_docs(tmp_path / "docs", "Yes.")

    def tried(belief: str, *records) -> str:
        root = results_with(tmp_path / f"results{len(records)}", *records)
        site = context.Site(docs, Evidence(store.load(root), registry.workloads()))
        return Voice(site, "faq/q.md").tried(site.judge(belief))

    assert "Not tried: any of it. The figures are those of others." == tried("tpu-is-always-faster")
    assert "Not tried: anything that the rule asks for." == tried("transfer-learning-needs-a-gpu")
    some = tried("transfer-learning-needs-a-gpu", record)
    assert re.search(r"of 1 machine. Not among them: JAX, PyTorch, a GPU, machines of other makers\.", some)


@pytest.mark.usefixtures("without_workload_pages")
def test_answers_stand_below_their_groups_in_one_order(tmp_path: Path):
    docs = tmp_path / "docs"
    write_docs(docs, '{{ generated_index("faq") }}', name="faq/index.md", head="title: Questions\nid: faq\n")
    for name, head in (
        ("a", "group: memory\n"),
        ("b", "group: start\n"),
        ("c", "group: memory\norder: 1\n"),
        ("d", ""),
    ):
        write_docs(docs, "Yes.", name=f"faq/{name}.md", head=f"title: {name}?\nid: {name}\n{head}")

    built = build.build(docs, results_with(tmp_path / "results"))

    seen = re.findall(r'^## .*\{#group-(\w+)\}|class="question" href="([^"]+)"', built["faq/index.md"], re.M)
    assert ["start", "b/", "memory", "c/", "a/", "none", "d/"] == [anchor or link for anchor, link in seen]
    answers = next(entry["Answers"] for entry in menu.navigation(built) if "Answers" in entry)
    assert ["faq/index.md", {"d?": "faq/d.md"}] == answers[:2]
    assert {"Start here": [{"b?": "faq/b.md"}]} == answers[2]
    assert {"Memory, batch and precision": [{"c?": "faq/c.md"}, {"a?": "faq/a.md"}]} == answers[3]


def test_a_broken_record_stops_the_build_with_its_path(tmp_path: Path):
    root = results_with(tmp_path / "results", make_record("resnet50"))
    path = next(p for p in root.rglob("*.json") if p.name.startswith("resnet50"))
    path.write_text(path.read_text(encoding="utf-8")[:200], encoding="utf-8")

    with pytest.raises(source.PageError, match=re.escape(path.name)):
        build.build(write_docs(tmp_path / "docs", "text"), root)


@pytest.mark.browser(needs_chromium=False)  # whole sites
def test_nothing_measured_shows_no_zero(unmeasured: Pages):
    for path, text in unmeasured.items():
        if path.endswith(".md"):
            assert not re.search(r'class="num"[^>]*>0[ <]', text), path
    assert "not measured yet" in unmeasured["workloads/index.md"]


@pytest.mark.usefixtures("without_workload_pages")
def test_a_page_that_moved_leaves_a_redirect(tmp_path: Path):
    docs = write_docs(tmp_path / "docs", "text", head="title: Why?\nid: q\nredirect_from: [old/place.md]\n")

    built = build.build(docs, results_with(tmp_path / "results"))

    assert 'url=../../faq/q/"' in built["old/place/index.html"]


@pytest.mark.parametrize(
    ("page", "target", "anchor", "expected"),
    [
        ("index.md", "faq/a.md", "", "faq/a/"),
        ("faq/a.md", "index.md", "", "../../"),
        ("faq/a.md", "faq/b.md", "x", "../b/#x"),
        ("faq/index.md", "faq/b.md", "", "b/"),
        ("faq/a.md", "data/x.json", "", "../../data/x.json"),
        ("faq/a.md", "faq/a.md", "x", "#x"),
    ],
)
def test_addresses_are_relative(page: str, target: str, anchor: str, expected: str):
    assert expected == addresses.href(page, target, anchor)


@pytest.mark.slow
@pytest.mark.usefixtures("without_workload_pages")
def test_a_drawing_is_kept_on_disk(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(cache, "PICTURES", tmp_path / "kept")
    docs, root = write_docs(tmp_path / "docs", '{{ chart("time-to-target") }}'), results_with(tmp_path / "results")
    first = build.build(docs, root)
    monkeypatch.setattr(workers, "begin", None)

    assert "<svg" in first["faq/q.md"] and "<!--drawing" not in first["faq/q.md"]
    assert first == build.build(docs, root)


def placed(*machines: str) -> str:
    numbers = (
        f'<a class="num" href="#">2x <small>(1 to 3, n = 1{f"; on {name}" if name else ""})</small></a>'
        for name in machines
    )
    return "\n".join(["Above.", "", "| a | b |", "| --- | --- |", *(f"| c | {one} |" for one in numbers), "", "Below."])


@pytest.mark.parametrize("doubt", ["n = 5", "n = 5; on other", "within one run; on other"])
def test_an_interval_is_set_smaller_than_its_value(doubt: str):
    shown = plain.small(f"2x (batch 8 on both, TF32 against float32; 1 to 3, {doubt})")

    assert re.fullmatch(r'<span class="value">2x</span> <small[^>]*>\(batch 8 .*\)</small>', shown)


def test_a_table_from_another_machine_names_it_once():
    text = plain.say_place_once(placed("other", "other"))

    assert 2 == text.count('<small class="short">(1 to 3, n = 1)</small>')
    assert 1 == text.count("other") == text.count("|\n\n*Measured on other.*\n\nBelow.")


@pytest.mark.parametrize("machines", [("",), ("", ""), ("other",), ("other", ""), ("other", "third")])
def test_a_table_of_several_machines_names_each_beside_its_numbers(machines: tuple[str, ...]):
    assert placed(*machines) == plain.say_place_once(placed(*machines))


FEW = ("resnet50", "matmul", "cnn-digits")


@pytest.fixture(scope="module")
def beside_a_gpu(tmp_path_factory) -> dict[str, str | bytes]:
    """Pages of a CPU session that leads and of a published machine with a GPU."""
    folder = tmp_path_factory.mktemp("beside")
    found = make_results(gpu=True, local=True, n_runs=2, n_blocks=3, workloads=FEW)
    docs = write_docs(folder / "docs", '{{ chart("phase-times") }}\n\n{{ table("headline") }}')
    site = context.Site(docs, Evidence(Results(found.sessions[1:]), {name: registry.workload(name) for name in FEW}))
    return made(workload_pages.workload_pages(site)) | {
        "faq/q.md": "".join(render.render(site, site.sources["faq/q.md"]))
    }


@pytest.mark.parametrize("workload", FEW)
def test_a_workloads_page_shows_the_gpu_that_ran_it_whichever_machine_leads(beside_a_gpu, workload: str):
    text = beside_a_gpu[f"workloads/{workload}.md"]

    own, other = re.findall(r"^## Headline numbers on (.+), measured", text, re.M)
    assert "this machine" == own and "Example GPU beside Example Server CPU" == other
    n_gaps = text.count('>GPU</th><td><span class="missing">')  # nobody predicted with the digits network
    assert n_gaps == (workload == "cnn-digits") and "GPU: not measured yet" not in text
    assert "TensorFlow, GPU, " in text and ", TF32</th>" in text
    drawn = dict(
        re.findall(r'<figure class="chart" id="chart-(\w[\w-]*?)--.*?chart-note">[^<]*?\(([\w-]+)\), \d', text)
    )
    assert {"gpu-16c"} == {machine for chart, machine in drawn.items() if chart != "roofs"}, "no bandwidth for a roof"


def test_the_list_of_workloads_names_the_machine_of_each_column(beside_a_gpu):
    text = beside_a_gpu["workloads/index.md"]

    assert [">CPU<", ">CPU beside the GPU<", ">GPU<"] == re.findall(r">(?:CPU|GPU)(?: beside the GPU)?<", text)
    assert "on this machine, measured" in text and "Beside them those on Example GPU beside" in text


def test_the_table_below_a_chart_begins_with_the_charts_machine(beside_a_gpu):
    text = beside_a_gpu["faq/q.md"]

    figure = text[text.index("<figure") : text.index("</figure>")]
    assert "Measured on Example GPU beside" in figure and "(gpu-16c)" in figure
    assert "gpu-16c/" in re.search(r'data-cells="([^"]+)"', figure).group(1)


def test_a_machine_stands_once_above_its_rows(beside_a_gpu):
    text = beside_a_gpu["faq/q.md"].partition("</figure>")[2]

    heads = re.findall(r'<tr class="group"><th colspan="5" scope="rowgroup"><span>([^<]+)', text)
    machines = ["gpu-16c (Example GPU beside Example Server CPU, 16 cores)", "this machine (Reader's CPU, 4 cores)"]
    assert machines == [html.unescape(head).strip() for head in heads]
    assert '<th scope="col">machine</th>' not in text
