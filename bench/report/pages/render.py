"""From a source to its page: placeholders, head, short answer, provenance."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Mapping
from typing import Any

import jinja2
import yaml

from bench.report.claims import answers
from bench.report.claims import rule as claims_rule
from bench.report.pages import addresses, cards, drawings, ledger_calls, markup, plain, sharing
from bench.report.pages.addresses import Pages
from bench.report.pages.calls import PlainVoice, Voice
from bench.report.pages.context import Site
from bench.report.pages.markup import MISSING, OTHER_BOOST, SEARCH_BOOST, e
from bench.report.pages.menu import UNORDERED
from bench.report.prose import groups
from bench.report.prose.source import PageError, Source
from bench.report.published import figures as published
from bench.report.published import freshness


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
    body = _fill(site, source.body, voice, source, source.n_head_lines)
    head = answers.without(source.head)
    if "{{" in head or "{%" in head:
        head = _fill(site, head, PlainVoice(site, source.path), source, 0)
    body = re.sub(r" *<!-- (?:cites|setting): [^>]*-->", "", body)
    folder, name = posixpath.split(source.path)
    if source.path == "index.md":
        body = _hero(site, source, body, voice)
        head = with_meta(head, "hide:\n  - navigation\n  - toc\n")
    answer = ""
    if folder in ("faq", "misconceptions") and name != "index.md":
        answer = short_answer(site, source, body)
        body = body.rstrip("\n") + "\n\n" + _provenance(site, source, voice) + "\n"
        body += "\n" + markup.json_ld([{"question": source.meta.get("title", ""), "answer": answer}]) + "\n"
    return with_meta(head, _for_readers(site, source, answer)), body


def _for_readers(site: Site, source: Source, answer: str) -> str:
    """Front matter that the site generator reads: words and weight for the search, answer and card for links."""
    meta: dict[str, Any] = {}
    if "search" not in source.meta:
        meta["search"] = {"boost": SEARCH_BOOST.get(posixpath.dirname(source.path), OTHER_BOOST)}
    if asked := asks(source):
        meta["tags"] = asked
    if answer:
        meta |= {"answer": answer} | ({"description": answer} if site.decide(source) else {})
    if card := card_path(site, source):
        meta["card"] = site.address + card
    return yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=100_000)


def card_path(site: Site, source: Source) -> str:
    """Where the picture of a page lies; empty on a site without a public address, which nobody links to."""
    known = site.address and source.meta.get("id") and source.meta.get("title")
    return f"assets/cards/{source.meta['id']}.png" if known else ""


def card_files(site: Site, rendered: Mapping[str, tuple[str, str]]) -> Pages:
    """A picture for every page that has one: its title with its short answer or its description."""
    pages: Pages = {}
    for path, source in site.sources.items():
        if card := card_path(site, source):
            meta = yaml.load(rendered[path][0].strip().strip("-"), Loader=published.YAML_LOADER)
            words = str(meta.get("answer") or meta.get("description") or "")
            pages[card] = drawings.card(cards.svg(str(meta["title"]), words, sharing.SITE))
    return pages


def _fill(site: Site, text: str, voice: Voice, source: Source, n_lines_above: int) -> str:
    try:
        decided = site.decide(source)
        calls = voice.calls() | ledger_calls.calls(voice)
        calls["generated_index"] = functools.partial(generated_index, voice)
        if decided:
            calls[answers.KEY] = functools.partial(voice.opening, decided)
        return plain.say_place_once(site.env.from_string(text).render(calls))
    except jinja2.TemplateSyntaxError as error:
        raise PageError(f"{source.shown}:{n_lines_above + error.lineno}: {error.message}") from error
    except PageError:
        raise
    except Exception as error:
        line = n_lines_above + (template_line(error) or 1)
        raise PageError(f"{source.shown}:{line}: {message(error)}") from error


def answer(site: Site, path: str, shown_on: str) -> str:
    """First paragraph of a source as HTML for another page."""
    source = site.sources[path]
    body = _fill(site, source.body, Voice(site, shown_on), source, source.n_head_lines)
    return plain.inline(plain.first_paragraph(body), path, shown_on)


def _hero(site: Site, source: Source, body: str, voice: Voice) -> str:
    """The home page's first paragraphs as its opening, with the machine they come from."""
    match = re.search(r"^(?=<figure|<div|## |\|)", body, re.M)
    opening, rest = (body[: match.start()], body[match.start() :]) if match else (body, "")
    lead = site.evidence.lead
    if lead is None:
        where = "Nothing has been measured yet. Run <code>make refresh</code> to begin with this machine."
    else:
        whose = "this machine" if lead.is_local else "a published machine"
        used = {site.evidence.view(session).key: session for fact in voice.facts for session, _ in fact.cells}
        links = [
            f'<a href="{addresses.href(source.path, f"machines/{addresses.machine_slug(session)}.md")}">'
            f"{e(site.machine_words(session))}</a>"
            for session in ({site.evidence.view(lead).key: lead} | used).values()
        ]
        where = (
            f"Measured on <strong>{whose}</strong>: {' and '.join(links)}, "
            f"{_measured_when(site, voice) or markup.finished_at(lead)}."
        )
    title = e(source.meta.get("title", ""))
    paragraphs = [plain.inline(block, source.path, source.path) for block in re.split(r"\n\s*\n", opening.strip())]
    words = "".join(f"<p>{text}</p>" for text in paragraphs if text)
    return f'<div class="hero"><h1>{title}</h1>{words}<p class="measured-on">{where}</p></div>\n\n{rest}'


def _measured_when(site: Site, voice: Voice) -> str:
    """Days of a page's own numbers, with what says so when they are old; empty without numbers."""
    used = list({id(session): session for session in voice.sessions()}.values())
    days = freshness.days(used)
    if not days:
        return ""
    late = freshness.behind(used, site.evidence.sessions)
    badge = f' <span class="aged">{e(late)}</span>' if late else ""
    return f'<span data-day="{days[0]}" data-old-at-days="{freshness.OLD_AT_DAYS}">{" to ".join(days)}</span>{badge}'


def _provenance(site: Site, source: Source, voice: Voice) -> str:
    """Below an answer: its id, how old its numbers are, and how else people ask."""
    when = _measured_when(site, voice) or "no measurement yet"
    data = addresses.href(source.path, "data/answers.json")
    asked = asks(source)
    also = f"<br>Also asked as: {e(' · '.join(asked))}" if asked else ""
    decided = site.decide(source)
    how = f"<br>Decided: {e(decided.statement)} {markup.badge(decided.outcome)} {e(decided.rule)}" if decided else ""
    return (
        f'<div class="provenance">Permanent id of this page: <code>{e(source.meta.get("id", ""))}</code>. '
        f'Numbers measured: {when}. <a href="{data}">All answers as data</a>.{also}{how}</div>'
    )


def short_answer(site: Site, source: Source, body: str) -> str:
    """One paragraph of plain text: the verdict's sentence where the page has one, else its first paragraph."""
    if source.meta.get("verdict"):
        verdict = site.judge(str(source.meta["id"]))
        words = claims_rule.RESTING[verdict.basis]
        resting = f" ({words})" if words else ""
        return f"{verdict.outcome.capitalize()}{resting}. {verdict.sentence}"
    if (decided := site.decide(source)) is not None:
        return plain.plain(decided.sentence)
    return plain.plain(plain.first_paragraph(body))


def redirects(site: Site) -> Pages:
    """A stub at every address that a page has left (``redirect_from`` in its front matter)."""
    pages: Pages = {}
    for source in site.sources.values():
        for old in source.meta.get("redirect_from", ()):
            at = addresses.url_of(old) if old.endswith(".md") else f"{str(old).strip('/')}/"
            stub = f"{at}index.html"
            target = e(addresses.href(old if old.endswith(".md") else f"{at}index.md", source.path))
            pages[stub] = (
                f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Moved</title>'
                f'<link rel="canonical" href="{target}"><meta http-equiv="refresh" content="0; url={target}">'
                f'</head><body><p>This page moved: <a href="{target}">follow it</a>.</p></body></html>\n'
            )
    return pages


def generated_index(voice: Voice, folder: str) -> str:
    """A list of the folder's pages with verdict and short answer, below the headings of their groups if any."""
    items: dict[str, list[str]] = {}
    ordered = sorted(voice.site.sources.items(), key=lambda item: (int(item[1].meta.get("order", UNORDERED)), item[0]))
    for path, source in ordered:
        if posixpath.dirname(path) != folder or path.endswith("index.md"):
            continue
        badge, short = "", ""
        if source.meta.get("verdict"):
            verdict = voice.site.judge(str(source.meta["id"]))
            badge, short = f" {markup.badge(verdict.outcome)}{markup.basis(verdict)}", voice.sentence(verdict)
        else:
            short = answer(voice.site, path, voice.page)
        link = e(addresses.href(voice.page, path))
        question = f'<a class="question" href="{link}">{e(source.meta.get("title", path))}</a>'
        group = str(source.meta.get("group", ""))
        items.setdefault(group, []).append(f"<li>{question}{badge}<p>{short}</p></li>")
    lists = {group: markup.block(f'<ul class="answers">{"".join(found)}</ul>') for group, found in items.items()}
    if not any(lists):
        return lists.get("", MISSING)
    named = sorted(lists, key=groups.place)
    return "\n\n".join(f"## {groups.heading(group)} {{#group-{group or 'none'}}}\n\n{lists[group]}" for group in named)
