// Long lists and tables: a box above each leaves what has all the words typed; heads of tables sort their rows.
// Loaded by site.js where a page has such a list. Without it a list is whole, in the order in which it was written.

/** All that an entry or row can be found by. */
function words(item) {
  const parts = item.cells ? [...item.cells].map((cell) => cell.textContent) : [item.textContent, item.dataset.asks ?? ""];
  return parts.join(" ").toLowerCase();
}

/** A control with its name before it. */
function labelled(title, control) {
  const label = document.createElement("label");
  label.append(title, control);
  return label;
}

/** Choice between the values that the items have in a data attribute. */
function chooser(name, items) {
  const select = document.createElement("select");
  select.name = name;
  select.add(new Option("all", ""));
  for (const value of new Set(items.map((item) => item.dataset[name]))) {
    select.add(new Option(value.length > 1 ? value.replaceAll("-", " ") : value.toUpperCase(), value));
  }
  return select;
}

/**
 * Puts a filter above lists. The first one of a page keeps its choice in the address.
 *
 * @param {Element} place what it stands before
 * @param {Element[]} lists whose children it hides; of several, an empty one goes with the heading above it
 * @param {string} noun what the items are called; without it they are counted once some are hidden
 * @param {string[][]} choices data attributes of the items to choose by, each with its title
 */
function addFilter(place, lists, noun, choices) {
  const items = lists.flatMap((list) => [...list.children]);
  const texts = items.map(words);
  const form = document.createElement("form");
  form.className = "filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", `Filter the ${noun || "list"}`);
  for (const [name, title] of choices) form.append(labelled(title, chooser(name, items)));
  const box = document.createElement("input");
  box.type = "search";
  box.name = "words";
  box.placeholder = noun ? "Filter by words" : "Filter, for example: laptop";
  box.setAttribute("aria-label", box.placeholder);
  const count = document.createElement("output");
  form.append(box, count);
  place.before(form);

  function apply() {
    const chosen = [...new FormData(form)].filter(([name, value]) => value && name !== "words");
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    items.forEach((item, at) => {
      const fits = chosen.every(([name, value]) => item.dataset[name] === value);
      item.hidden = !(fits && wanted.every((word) => texts[at].includes(word)));
      if (!item.hidden) shown += 1;
    });
    for (const list of lists.length > 1 ? lists : []) {
      list.hidden = [...list.children].every((item) => item.hidden);
      if (list.previousElementSibling?.matches("h2")) list.previousElementSibling.hidden = list.hidden;
    }
    const of = chosen.length || wanted.length ? `${shown} of ${items.length}` : noun && `${items.length}`;
    count.textContent = shown || noun ? `${of} ${noun}` : "Nothing here; the search above knows more words.";
  }

  const controls = [...form.elements].filter((one) => one.name);
  const isFirst = document.querySelector("form.filter") === form;
  const asked = new URLSearchParams(isFirst ? location.search : "");
  for (const one of controls) {
    one.value = asked.get(one.name) ?? "";
    if (one.selectedIndex < 0) one.value = "";
  }
  form.addEventListener("input", () => {
    apply();
    if (!isFirst) return;
    const query = new URLSearchParams(location.search);
    for (const one of controls) {
      query.delete(one.name);
      if (one.value) query.set(one.name, one.value);
    }
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}

const inWords = new Intl.Collator("en", { numeric: true }).compare;

/** Order of two cells, of sign 1 or -1: numbers first, by value; then words; what is empty last, whatever the sign. */
function compare(a, b, sign) {
  const kinds = [a, b].map(({ value, text }) => (value !== undefined ? 0 : text ? 1 : 2));
  if (kinds[0] !== kinds[1]) return kinds[0] - kinds[1];
  return sign * (kinds[0] ? inWords(a.text, b.text) : a.value - b.value);
}

/** Makes the heads of a table buttons that sort its rows, up at first and down on the next click. */
function addSorting(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  for (const [column, head] of heads.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const one of heads) one.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const keyed = [...body.rows].map((row) => {
        const { dataset, textContent } = row.cells[column];
        return { row, value: dataset.value && Number(dataset.value), text: textContent.trim() };
      });
      body.append(...keyed.sort((a, b) => compare(a, b, sign)).map(({ row }) => row));
    });
  }
}

/** Gives the lists below an element their filters, and tables their sorting. */
export function attach(root) {
  const answers = [...root.querySelectorAll("ul.answers")];
  if (answers.length) {
    const heading = answers[0].previousElementSibling;
    addFilter(heading?.matches("h2") ? heading : answers[0], answers, "", []);
  }
  for (const list of root.querySelectorAll("ul[data-choices]")) {
    addFilter(list, [list], list.dataset.noun, list.dataset.choices.split(", ").map((one) => one.split("=")));
  }
  for (const table of root.querySelectorAll("table.sortable")) {
    if (table.querySelector("thead button")) continue; // it has both already
    addSorting(table);
    if (table.parentElement.matches(".to-filter")) addFilter(table.parentElement, [table.tBodies[0]], "rows", []);
  }
}
