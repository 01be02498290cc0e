// Two machines side by side: fetches the pair that is chosen. The choice stands in the address: ?a=...&b=...
// Without it the page shows the first pair.

import { attach } from "./lists.js";

const page = document.querySelector(".compare");
const form = page.querySelector("form");
const sentence = page.querySelector("[role=status]");
const table = page.querySelector(".compared");
const chosen = () => [form.elements.a.selectedIndex, form.elements.b.selectedIndex];
let shown = `${chosen()}`;

/** Shows the pair that is chosen; its file is named in the order of the machines, whichever way it was chosen. */
async function show() {
  const places = chosen().sort((one, other) => one - other);
  const [a, b] = places.map((place) => form.elements.a.options[place].value);
  if (`${places}` === shown) return;
  shown = `${places}`;
  if (a === b) {
    sentence.textContent = "Choose two different machines.";
    table.replaceChildren();
    return;
  }
  const answer = await fetch(`${page.dataset.files}${a}--${b}.json`).catch(() => null);
  const pair = answer?.ok ? await answer.json() : null;
  if (shown !== `${places}`) return; // another pair was chosen meanwhile
  sentence.innerHTML = pair?.sentence ?? "This pair is not worked out here; <code>gpu-bench compare</code> tells it.";
  table.innerHTML = pair?.table ?? "";
  attach(table);
}

const asked = new URLSearchParams(location.search);
for (const name of ["a", "b"]) {
  const place = [...form.elements[name].options].findIndex((one) => one.value === asked.get(name));
  if (place >= 0) form.elements[name].selectedIndex = place;
}
if (asked.has("a") && !asked.has("b") && chosen()[0] === chosen()[1]) form.elements.b.selectedIndex = chosen()[0] ? 0 : 1;
form.addEventListener("change", () => {
  const query = new URLSearchParams([...new FormData(form)]);
  history.replaceState(null, "", `${location.pathname}?${query}${location.hash}`);
  show();
});
show();
