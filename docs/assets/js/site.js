// Opens evidence behind links, copies permanent addresses, and loads interactive charts on request.
// Everything works without it; nothing here asks another host for anything.

"use strict";

/** Opens the collapsed sections around the element that the address points at. */
function openTarget() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  if (!target) return;
  let closed = false;
  for (let node = target; node; node = node.parentElement) {
    if (node.tagName === "DETAILS" && !node.open) { node.open = true; closed = true; }
  }
  if (closed) target.scrollIntoView();
}

/** Says for a moment that something was copied. */
function say(text) {
  const note = document.createElement("div");
  note.className = "copied";
  note.setAttribute("role", "status");
  note.textContent = text;
  document.body.append(note);
  setTimeout(() => note.remove(), 1600);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.headerlink");
  if (link && navigator.clipboard) {
    navigator.clipboard.writeText(link.href).then(() => say("Permanent link copied"), () => {});
  }
});

// The search box. What finds and shows is loaded when it is first used; "/", "s" and "f" lead into it, the arrows
// through the results, Escape out.
const searchBox = document.querySelector(".md-search__input");
const searchOpen = document.getElementById("__search"); // the theme shows the results while this is checked
const searchPlace = searchBox.closest(".md-search");
let finder;

function openSearch(open) {
  if (searchOpen.checked !== open) searchOpen.click();
}

searchBox.addEventListener("focus", () => {
  openSearch(true);
  finder ??= import("./search.js").then((search) => search.attach(searchBox)).catch(() => {
    const told = "No search here: it comes with the built site from a server, not with a preview or a file.";
    searchPlace.querySelector("[role=status]").textContent = told;
  });
});
searchOpen.addEventListener("change", () => { if (searchOpen.checked) searchBox.focus(); });
searchBox.form.addEventListener("reset", () => {
  searchBox.focus();
  setTimeout(() => searchBox.dispatchEvent(new Event("input"))); // once the box is empty
});
searchPlace.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !searchPlace.contains(event.relatedTarget)) openSearch(false);
});

addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  const at = document.activeElement;
  if (searchPlace.contains(at)) {
    const stops = [searchBox, ...searchPlace.querySelectorAll("#search-results a")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      openSearch(false);
      at.blur();
    } else if (step) {
      stops.at((stops.indexOf(at) + step) % stops.length).focus();
      event.preventDefault();
    }
  } else if (["/", "s", "f"].includes(event.key) && !at.matches("input, select, textarea, [contenteditable]")) {
    searchBox.focus();
    searchBox.select();
    event.preventDefault();
  }
});

const bundles = new Map();

/** Loads a script once. */
function load(address) {
  if (!bundles.has(address)) {
    bundles.set(address, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = resolve;
      script.onerror = () => reject(new Error("the chart library did not load"));
      document.head.append(script);
    }));
  }
  return bundles.get(address);
}

/** The specification with each colour's name replaced by the shade of the scheme in force. */
function coloured(spec, names) {
  const style = getComputedStyle(document.body);
  let text = JSON.stringify(spec);
  for (const [sentinel, role] of Object.entries(names)) {
    text = text.replaceAll(sentinel, style.getPropertyValue(`--chart-${role}`).trim());
  }
  return JSON.parse(text);
}

async function play(button) {
  const figure = button.closest("figure.chart");
  const drawing = figure.querySelector(".chart-drawing");
  button.disabled = true;
  try {
    await load(button.dataset.bundle);
    const narrow = drawing.clientWidth < 575;
    const { wide, narrow: small, colours } = (await (await fetch(button.dataset.spec)).json()).usermeta;
    const live = document.createElement("div");
    live.className = "chart-live";
    drawing.hidden = true;
    drawing.after(live);
    const paint = () => vegaEmbed(live, coloured(narrow ? small : wide, colours), {
      renderer: "svg",
      // The editor and "view source" would leave the site.
      actions: { export: true, source: false, compiled: false, editor: false },
      tooltip: true,
    });
    await paint();
    new MutationObserver(paint).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
    button.remove();
  } catch (error) {
    button.disabled = false;
    button.textContent = `Interactive version failed: ${error.message}`;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-spec]");
  if (button) play(button);
});

// The ledger of claims: choose by verdict, article, kind and basis, or by words. The choice stands in the address.
const LEDGER = [["word", "Verdict"], ["article", "Article"], ["kind", "Kind"], ["basis", "Resting on"]];

/** A labelled field of the filters. */
function field(title, control) {
  const label = document.createElement("label");
  label.append(title, control);
  return label;
}

function filterLedger() {
  const list = document.getElementById("ledger");
  if (!list || document.querySelector(".ledger-filters")) return;
  const entries = [...list.children];
  const asked = new URLSearchParams(location.search);
  const form = document.createElement("form");
  form.className = "ledger-filters";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Filter the claims");
  for (const [name, title] of LEDGER) {
    const select = document.createElement("select");
    select.name = name;
    select.add(new Option("all", ""));
    for (const value of new Set(entries.map((entry) => entry.dataset[name]))) {
      select.add(new Option(name === "article" ? value.toUpperCase() : value.replaceAll("-", " "), value));
    }
    select.value = asked.get(name) ?? "";
    if (select.selectedIndex < 0) select.value = "";
    form.append(field(title, select));
  }
  const words = document.createElement("input");
  words.type = "search";
  words.name = "words";
  words.value = asked.get("words") ?? "";
  form.append(field("Words", words));
  const shown = document.createElement("output");
  form.append(shown);
  list.before(form);

  function apply() {
    const chosen = [...new FormData(form)].filter(([, value]) => value);
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const entry of entries) {
      const text = entry.textContent.toLowerCase();
      const fits = chosen.every(([name, value]) => name === "words" || entry.dataset[name] === value);
      entry.hidden = !(fits && wanted.every((word) => text.includes(word)));
      if (!entry.hidden) count += 1;
    }
    shown.textContent = `${count} of ${entries.length} claims`;
    const query = new URLSearchParams(chosen).toString();
    history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
  }
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (asked.size || !target) apply();
  else shown.textContent = `${entries.length} claims`;
}

addEventListener("DOMContentLoaded", filterLedger);
if (document.readyState !== "loading") filterLedger();

const DAY_MS = 864e5;

/** Says beside a date that it is old; without scripts the date alone says so. */
function markAged() {
  for (const one of document.querySelectorAll("[data-day][data-old-at-days]")) {
    const days = Math.floor((Date.now() - Date.parse(one.dataset.day)) / DAY_MS);
    if (!(days >= Number(one.dataset.oldAtDays)) || one.querySelector(":scope > .aged")) continue;
    const age = days < 730 ? `${days} days` : `${Math.floor(days / 365.25)} years`;
    const badge = document.createElement("span");
    badge.className = "aged";
    badge.textContent = `${one.dataset.what ? `${one.dataset.what} ` : ""}${age} old`;
    one.append(" ", badge);
  }
}

addEventListener("DOMContentLoaded", markAged);
if (document.readyState !== "loading") markAged();

// The theme opens its search as a dialog and gives it no name.
document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");

addEventListener("hashchange", openTarget);
addEventListener("DOMContentLoaded", openTarget);
if (document.readyState !== "loading") openTarget();
