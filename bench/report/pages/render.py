"""From a source to its page: placeholders, head, short answer, provenance."""

from __future__ import annotations

import functools
import html
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from bench.report import templates
from bench.report.claims import answers
from bench.report.claims import rule as claims_rule
from bench.report.pages import (
    addresses,
    bars,
    build_calls,
    cards,
    coverage_calls,
    drawings,
    estimate_calls,
    gpu_pages,
    layout,
    ledger_calls,
    left_out,
    markup,
    plain,
    sharing,
    whose,
    yours,
)
from bench.report.pages.calls import VERDICT, Voice
from bench.report.pages.context import Site
from bench.report.pages.markup import MISSING, PARTS
from bench.report.pages.menu import DOORS, UNORDERED
from bench.report.prose import groups
from bench.report.prose.source import PageError, Source, is_for_readers
from bench.report.published import figures as published
from bench.report.published import freshness
from bench.report.stats import format as fmt
from bench.report.templates import inert, join

CODE_PAGE = "guides/rerun.md"  # how to get the code, and what to run first
PLACED = re.compile(r"\S+:\d+: ")  # a message that says its file and line already


def with_meta(head: str, more: str) -> str:
    """A page's head with further keys, unless it has them already."""
    key = more.partition(":")[0]
    return f"{head[:-4]}{more}---\n" if head and more and f"\n{key}:" not in head else head


def asks(source: Source) -> list[str]:
    """Other wordings of a page's question, from ``asks`` in its front matter: one, or a list."""
    asked = source.meta.get("asks") or []
    wordings = [asked] if isinstance(asked, str) else asked
    return [str(one) for one in wordings if str(one) != source.meta.get("title")]


def template_line(error: BaseException) -> int | None:
    """Line of the template in which an exception arose."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def message(error: BaseException) -> str:
    """An exception's text without the quotes that a KeyError puts around it."""
    return str(error.args[0]) if error.args else type(error).__name__


def render(site: Site, source: Source) -> tuple[str, str]:
    """Head and body of one source, placeholders replaced.

    Raises:
        PageError: with file and line.
    """
    voice = site.voices[source.path] = Voice(site, source.path)
    body = _fill(site, voice, source, source.body)
    head = answers.without(source.head)
    body = re.sub(r" *<!-- (?:cites|setting): [^>]*-->", "", body)
    foot = left_out.foot(voice.left_out, addresses.href(source.path, left_out.ADD))
    is_list = source.path.endswith("/index.md")  # its answers have their sources on pages of their own
    notes = PARTS.notes(list(voice.notes.values())) if voice.notes and not is_list else ""
    folder, name = posixpath.split(source.path)
    if source.path in ("index.md", "faq/index.md", "misconceptions/index.md"):
        head = with_meta(head, "hide:\n  - navigation\n  - toc\n")
    if source.path == "index.md":
        body = _hero(site, source, body)
    answer = ""
    if folder in ("faq", "misconceptions") and name != "index.md":
        answer = site.answers[source.path] = short_answer(voice, source, body)
        asked = markup.json_ld([{"question": source.meta.get("title", ""), "answer": answer}])
        code = addresses.href(source.path, CODE_PAGE) if CODE_PAGE in site.sources else ""
        body = f"{layout.laid_out(body, _provenance(site, source, voice), foot, notes, code)}\n{asked}\n"
    elif is_for_readers(source.path):
        body = layout.laid_out(body, foot=foot, notes=notes)
    is_banded = source.path == "index.md" or folder in ("faq", "misconceptions")
    body = f"{yours.band(site, source.path)}{body}" if is_banded else body  # both are markup already
    return with_meta(head, _for_readers(site, source, answer)), body


def _for_readers(site: Site, source: Source, answer: str) -> str:
    """Front matter that the site generator reads: answer and card for links; the search takes the answer too."""
    meta: dict[str, Any] = {}
    if answer:
        shown = str(inert(answer))  # the theme shows it as it stands
        meta |= {"answer": shown} | ({"description": shown} if site.decide(source) else {})
    if card := card_path(site, source):
        meta["card"] = site.address + card
    return yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=100_000) if meta else ""


def card_path(site: Site, source: Source) -> str:
    """Where the picture of a page lies; empty on a site without a public address, which nobody links to."""
    known = site.address and source.meta.get("id") and source.meta.get("title")
    return f"assets/cards/{source.meta['id']}.png" if known else ""


def card_files(site: Site, rendered: Mapping[str, tuple[str, str]]) -> addresses.Pages:
    """A picture for every page that has one: its title with its short answer or its description."""
    begun = {}
    for path, source in site.sources.items():
        if card := card_path(site, source):
            meta = yaml.load(rendered[path][0].strip().strip("-"), Loader=published.YAML_LOADER)
            words = html.unescape(str(meta.get("answer") or meta.get("description") or ""))
            begun[card] = drawings.begin_card(cards.svg(str(meta["title"]), words, sharing.SITE))
    return {card: drawn() for card, drawn in begun.items()}


def _fill(site: Site, voice: Voice, source: Source, text: str) -> str:
    n_lines_above = source.n_head_lines
    try:
        decided = site.decide(source)
        calls = voice.calls() | estimate_calls.CALLS | build_calls.CALLS
        calls |= {name: functools.partial(call, voice) for name, call in CALLS.items()}
        if decided:
            calls[answers.KEY] = functools.partial(voice.opening, decided)
        shown = templates.source(text).render(calls)
        if not voice.is_short:
            return plain.say_place_once(shown)
        lead = site.evidence.lead
        shown = whose.settled(shown, "" if lead is None else site.evidence.view(lead).key)
        return left_out.in_markdown(shown, voice.left_out)
    except jinja2.TemplateSyntaxError as error:
        raise PageError(f"{source.shown}:{n_lines_above + error.lineno}: {error.message}") from error
    except Exception as error:
        if isinstance(error, PageError) and PLACED.match(str(error)):
            raise
        line = n_lines_above + (template_line(error) or 1)
        raise PageError(f"{source.shown}:{line}: {message(error)}") from error


def answer(site: Site, path: str, shown_on: str) -> Markup:
    """First paragraph of a source as HTML for another page."""
    source = site.sources[path]
    opening = re.split(r"\n[ \t]*\n", source.body.lstrip(), maxsplit=1)[0]
    # The rest is read only where a condition says how far the paragraph goes, or where none stands first.
    for text in (source.body,) if "{%" in opening else (opening, source.body):
        if found := plain.first_paragraph(_fill(site, Voice(site, shown_on), source, text)):
            return plain.inline(plain.NOTE.sub("", found), path, shown_on)
    return Markup("")


def _hero(site: Site, source: Source, body: str) -> str:
    """The home page's first paragraphs as its opening, with how much stands behind them."""
    match = re.search(r"^(?=<figure|<div|## |\|)", body, re.M)
    opening, rest = (body[: match.start()], body[match.start() :]) if match else (body, "")
    sessions = site.evidence.measured
    where = VERDICT.nothing_measured()
    if sessions:
        where = VERDICT.measured_on(
            len({session.machine.id for session in (*sessions, *site.evidence.further) if session.standing.counts}),
            any(session.is_local for session in sessions),
            addresses.href(source.path, "machines/index.md"),
            fmt.count(len(published.figures())),
            addresses.href(source.path, "evidence/published.md"),
            max(map(markup.finished_at, sessions)),
        )
    paragraphs = [plain.inline(block, source.path, source.path) for block in re.split(r"\n\s*\n", opening.strip())]
    hero = VERDICT.hero(source.meta.get("title", ""), [text for text in paragraphs if text], where)
    return f"{hero}\n\n{rest}"


def _measured_when(site: Site, voice: Voice) -> Markup:
    """Days of a page's own numbers, with what says so when they are old; empty without numbers."""
    used = list({id(session): session for session in voice.sessions()}.values())
    days = freshness.days(used)
    if not days:
        return Markup("")
    late = freshness.behind(used, site.evidence.sessions)
    return VERDICT.days(days[0], " to ".join(days), freshness.OLD_AT_DAYS, late)


def _provenance(site: Site, source: Source, voice: Voice) -> Markup:
    """How a page knows: the rule that decides it, what it rests on, how old its numbers are, how else people ask."""
    decided: answers.Answer | None = site.decide(source)
    statement = {"statement": decided.statement, "rule": decided.rule} if decided else {}
    outcome: str = decided.outcome if decided else ""
    tried = Markup("")
    if source.meta.get("verdict"):
        verdict = site.judge(str(source.meta["id"]))
        statement, outcome = {"statement": verdict.belief, "rule": f"Rule: {verdict.rule}"}, verdict.outcome
        tried = join([*map(voice.part, verdict.counted), " ", voice.tried(verdict)])
    return VERDICT.provenance(
        source.meta.get("id", ""),
        _measured_when(site, voice) or "no measurement yet",
        addresses.href(source.path, "data/answers.json"),
        " · ".join(asks(source)),
        statement,
        PARTS.badge(outcome) if outcome else "",
        tried,
    )


def short_answer(voice: Voice, source: Source, body: str) -> str:
    """One paragraph of plain text: the verdict's sentence where the page has one, else its first paragraph."""
    if source.meta.get("verdict"):
        verdict = voice.site.judge(str(source.meta["id"]))
        resting = f" ({claims_rule.RESTING[verdict.basis]})" if verdict.basis != "records" else ""
        word = plain.plain(PARTS.badge(verdict.outcome)).capitalize()
        return plain.plain(f"{word}{resting}. {voice.sentence(verdict)}")
    return plain.plain(plain.first_paragraph(body))


def redirects(site: Site) -> addresses.Pages:
    """A stub at every address that a page has left (``redirect_from`` in its front matter)."""
    pages: addresses.Pages = {}
    for source in site.sources.values():
        for old in source.meta.get("redirect_from", ()):
            at = addresses.url_of(old) if old.endswith(".md") else f"{str(old).strip('/')}/"
            stub = f"{at}index.html"
            pages[stub] = VERDICT.moved(addresses.href(old if old.endswith(".md") else f"{at}index.md", source.path))
    return pages


def generated_index(voice: Voice, folder: str) -> Markup:
    """A list of the folder's pages, one line each: question, verdict, answer; below the headings of their groups."""
    items: dict[str, list[dict[str, Any]]] = {}
    ordered = sorted(voice.site.sources.items(), key=lambda item: (int(item[1].meta.get("order", UNORDERED)), item[0]))
    for path, source in ordered:
        if posixpath.dirname(path) != folder or path.endswith("index.md"):
            continue
        badge: Markup | str = ""
        if source.meta.get("verdict"):
            verdict = voice.site.judge(str(source.meta["id"]))
            badge = PARTS.badge(verdict.outcome)
            short = plain.plain(voice.sentence(verdict))
        else:
            short = plain.plain(answer(voice.site, path, voice.page))
        item = {
            "address": addresses.href(voice.page, path),
            "question": source.meta.get("title", path),
            "badge": badge,
            "short": short,
            "asks": " ".join(asks(source)),
        }
        items.setdefault(str(source.meta.get("group", "")), []).append(item)
    lists = {group: VERDICT.answers(found) for group, found in items.items()}
    if not any(lists):
        return lists.get("", MISSING)
    return join(
        (
            join([Markup(f"## {groups.heading(group)} {{#group-{group or 'none'}}}\n\n"), lists[group]])
            for group in sorted(lists, key=groups.place)
        ),
        "\n\n",
    )


def doors(voice: Voice) -> Markup:
    """The five ways in, as cards."""
    found = [door for door in DOORS if door.start in voice.site.sources or door.start == "machines/index.md"]
    return VERDICT.doors([(addresses.href(voice.page, door.start), door.title, door.about) for door in found])


# What a source may call beside what its voice offers: functions whose first argument is that voice.
CALLS: dict[str, Callable[..., str]] = {
    **ledger_calls.CALLS,
    "bars": bars.call,
    "card": lambda voice, name: gpu_pages.link(voice.page, name),
    "coverage": coverage_calls.coverage,
    "data_state": coverage_calls.data_state,
    "doors": doors,
    "figure": bars.titled,
    "generated_index": generated_index,
    "grades": estimate_calls.grades,
}
