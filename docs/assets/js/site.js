// Opens evidence behind links, copies permanent addresses, and loads interactive charts on request.
// Everything works without it; nothing here asks another host for anything.

"use strict";

/** The element that the address points at; none where there is none, or where it cannot be read ("#100%"). */
function addressed() {
  try {
    return document.getElementById(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return null;
  }
}

/** Opens the collapsed sections around the element that the address points at. */
function openTarget() {
  const target = addressed();
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
// through the results, Escape out. Another generator's theme has a box of its own, which is left alone.
const searchBox = document.querySelector(".md-search__input");
const searchOpen = document.getElementById("__search"); // the theme shows the results while this is checked
const searchPlace = searchBox?.closest(".md-search");
let finder;

function openSearch(open) {
  if (searchOpen.checked !== open) searchOpen.click();
}

if (searchBox) {
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
}

// A label that opens something is a button to the keyboard; the theme knows Enter alone.
addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches("label[tabindex]")) return;
  event.preventDefault();
  event.target.click();
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
      ast: true, // expressions are interpreted: the page's policy lets no text become code
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

// Lists that can be narrowed and tables that can be sorted.
if (document.querySelector("ul.answers, ul[data-choices], table.sortable")) {
  import("./lists.js").then((lists) => lists.attach(document), () => {});  // a list is whole without it
}

const DAY_MS = 864e5;

/** Says beside a date that it is old; without scripts the date alone says so. */
function markAged() {
  for (const one of document.querySelectorAll("[data-day][data-old-at-days]")) {
    const days = Math.floor((Date.now() - Date.parse(one.dataset.day)) / DAY_MS);
    if (!(days >= Number(one.dataset.oldAtDays)) || one.querySelector(":scope > .aged")) continue;
    const badge = document.createElement("span");
    badge.className = "aged";
    badge.textContent = `${one.dataset.what ?? "measured"} ${one.dataset.what ? "of" : "in"} ${one.dataset.day.slice(0, 4)}`;
    one.append(" ", badge);
  }
}

addEventListener("DOMContentLoaded", markAged);
if (document.readyState !== "loading") markAged();

// A number says in a few words what it is; the rest of it waits in its title and opens as a small window: on hover, on
// focus, and on the first tap, the second of which follows the link. Without scripts the title and the link remain.
const NUMBERS = "a.num, a.est, a.pub-value";
const FULL = "full"; // where the title lies meanwhile, so that the browser does not show it, too
let opened = null;

/** What the window holds: the lines of a number's title, and the links that lead on. */
function numberWindow(number) {
  const box = document.createElement("div");
  box.className = "number-window";
  box.id = "number-window";
  box.setAttribute("role", "tooltip");
  number.dataset[FULL].split("\n").forEach((line, place) => {
    const part = document.createElement(place ? "p" : "strong");
    part.textContent = line;
    box.append(part);
  });
  const links = document.createElement("p");
  const address = number.getAttribute("href");
  const words = { num: "Open the evidence", est: "How it is made", "pub-value": "Open the source" };
  const told = Object.keys(words).find((name) => number.classList.contains(name));
  for (const [text, target] of [[words[told], address], ["Measure it", number.dataset.measure]]) {
    if (!target) continue;
    const link = document.createElement("a");
    link.href = target;
    link.textContent = text;
    links.append(link, " ");
  }
  box.append(links);
  return box;
}

/** Closes the window that is open. */
function closeNumber() {
  if (!opened) return;
  opened.box.remove();
  opened.number.removeAttribute("aria-describedby");
  opened = null;
}

/** Opens the window of a number below it, within the page. */
function openNumber(number) {
  if (opened?.number === number) return;
  closeNumber();
  if (number.title) {
    number.dataset[FULL] = number.title;
    number.removeAttribute("title");
  }
  if (!number.dataset[FULL]?.includes("\n")) return; // a full number, whose title tells no more than the link
  const box = numberWindow(number);
  document.body.append(box);
  const at = number.getClientRects()[0];
  const room = document.documentElement.clientWidth - box.offsetWidth - 8;
  box.style.left = `${scrollX + Math.max(8, Math.min(at.left, room))}px`;
  box.style.top = `${scrollY + at.bottom + 2}px`;
  number.setAttribute("aria-describedby", box.id);
  opened = { number, box };
}

let waiting = 0;
document.addEventListener("pointerover", (event) => {
  if (event.pointerType !== "mouse") return;
  const number = event.target.closest(NUMBERS);
  clearTimeout(waiting);
  if (number) openNumber(number);
  else if (!event.target.closest(".number-window")) waiting = setTimeout(closeNumber, 250);
});
let touched = null; // by a finger, which focuses a link before it clicks it
document.addEventListener("pointerdown", (event) => {
  const number = event.target.closest(NUMBERS);
  touched = event.pointerType === "mouse" || opened?.number === number ? null : number;
  if (!number && !event.target.closest(".number-window")) closeNumber();
});
document.addEventListener("focusin", (event) => {
  const number = event.target.closest(NUMBERS);
  if (number) openNumber(number);
  else if (!event.target.closest(".number-window")) closeNumber();
});
document.addEventListener("click", (event) => {
  const number = event.target.closest(NUMBERS);
  if (!number || number !== touched) return;
  openNumber(number);
  if (opened?.number === number) event.preventDefault();
  touched = null;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeNumber();
});

addEventListener("hashchange", openTarget);
addEventListener("DOMContentLoaded", openTarget);
if (document.readyState !== "loading") openTarget();
