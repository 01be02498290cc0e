// Finds pages with Pagefind and shows them. Loaded when the search box is first used; see scripts/search_index.py.

/** What the address of this script says: the site's root. */
const ROOT = new URL("../../", import.meta.url);
const READ = 20; // best pages by their words, whose kind then counts
const SHOWN = 10;
const MOST_WORDS = 30; // of a question; of a pasted page the first tell what it is about
const LEAST = 0.25; // of the best page's score

const pagefind = await import(new URL("pagefind/pagefind.js", ROOT));
// Titles weigh more where they are indexed; weights of what is only shown would come on top, without measure.
const metaWeights = { title: 0, wordings: 0, answer: 0, kind: 0, weight: 0 };
await pagefind.options({ baseUrl: ROOT.pathname, ranking: { metaWeights } });
const words = await (await fetch(new URL("pagefind/words.json", ROOT))).json();

/** Edits that turn one word into another, swapped neighbours counting as one; `most` + 1 once there are more. */
function edits(one, other, most) {
  if (Math.abs(one.length - other.length) > most) return most + 1;
  let before = [];
  let row = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1];
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (swapped) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[other.length];
}

/** The known words that a mistyped one may stand for, all the nearest; itself where it is known or none is near. */
function meant(word) {
  if (word.length < 4 || /[^a-z]/.test(word)) return [word];
  let near = [];
  let least = word.length < 6 ? 1 : 2;
  for (const known of words.vocabulary) {
    if (known.startsWith(word)) return [word]; // known, or still being typed
    const n = edits(word, known, least);
    if (n > least || known[0] !== word[0]) continue;
    if (n < least) [near, least] = [[], n];
    near.push(known);
  }
  const alike = near.filter((known) => known.at(-1) === word.at(-1));
  return [alike, near, [word]].find((some) => some.length);
}

/** The words of a text. */
function wordsOf(text) {
  return text.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
}

/** Those of several words that tell something. */
function telling(several) {
  return several.filter((word) => !words.stop.includes(word));
}

/** Whether a text holds the beginning of a word: Pagefind finds something for every word, however little of it fits. */
function holds(text, sought) {
  return sought.some((word) => text.includes(word.slice(0, Math.max(3, word.length - 3))));
}

/** Share of a wording's words that were asked for; of several wordings, between semicolons, the largest. */
function covered(wordings, sought) {
  const shares = wordings.toLowerCase().split(";").map(wordsOf).map(telling).filter((inIt) => inIt.length)
    .map((inIt) => inIt.filter((word) => sought.includes(word)).length / inIt.length);
  return Math.max(0, ...shares);
}

/** What to look for: for each thing that was asked, the words that may stand for it. */
function terms(question) {
  const plain = question.toLowerCase().replaceAll("’", "'").replace(/[^\p{L}\p{N}.+#%'-]+/gu, " ");
  let rest = ` ${plain} `.replace(/\.+ /g, " ");
  const asked = [];
  for (const [typed, instead] of Object.entries(words.synonyms)) {
    if (!rest.includes(` ${typed} `)) continue;
    rest = rest.replace(` ${typed} `, " ");
    if (instead.length) asked.push(instead);
  }
  const typed = [...new Set(rest.split(" ").filter(Boolean))].slice(0, MOST_WORDS);
  const kept = telling(typed);
  return asked.concat((asked.length || kept.length ? kept : typed).map(meant));
}

/** Pages that answer a question, best first, with url, title, answer, kind and score. Each word counts, none must. */
export async function find(question) {
  const asked = terms(question);
  const scores = new Map();
  for (const alternatives of asked) {
    const best = new Map();
    for (const word of alternatives) {
      for (const page of (await pagefind.search(word)).results) {
        if (page.score > (best.get(page.id)?.score ?? 0)) best.set(page.id, page);
      }
    }
    for (const [id, page] of best) {
      const sum = scores.get(id) ?? { page, score: 0, n: 0 };
      scores.set(id, { page, score: sum.score + page.score, n: sum.n + 1 });
    }
  }
  const ranked = [...scores.values()].map(({ page, score, n }) => ({ page, score: (score * n) / asked.length }));
  ranked.sort((a, b) => b.score - a.score);
  const sought = wordsOf(asked.flat().join(" "));
  const read = await Promise.all(ranked.slice(0, READ).map(async ({ page, score }) => {
    const { url, meta, content } = await page.data();
    const part = covered(meta.wordings, sought);
    const share = holds(content.toLowerCase(), sought) ? 1 + part + (part === 1 ? 1 : 0) : 0;
    return { ...meta, url, score: score * meta.weight * share };
  }));
  read.sort((a, b) => b.score - a.score);
  return read.filter(({ score }) => score > LEAST * read[0].score).slice(0, SHOWN);
}

/** An element with a class and content. */
function element(name, className, ...content) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}

/** Results as lists, one for each kind of page, the kind with the best page first. */
function lists(pages) {
  const kinds = new Map(pages.map((page) => [page.kind, []]));
  for (const page of pages) kinds.get(page.kind).push(page);
  return [...kinds].map(([kind, found], number) => {
    const heading = element("p", "search-kind", kind);
    heading.id = `search-kind-${number}`;
    const list = element("ul", "search-found", ...found.map(({ url, title, answer }) => {
      const link = element("a", "", element("strong", "", title), ...(answer ? [element("span", "", answer)] : []));
      link.href = url;
      return element("li", "", link);
    }));
    list.setAttribute("aria-labelledby", heading.id);
    return element("section", "", heading, list);
  });
}

/** Show what is found while someone types. */
export function attach(box) {
  const output = document.getElementById("search-results");
  const status = output.previousElementSibling;
  let asked = 0;
  const show = async () => {
    const mine = asked += 1;
    const question = box.value.trim();
    const pages = question ? await find(question) : [];
    if (mine !== asked) return; // someone typed on
    output.replaceChildren(...lists(pages));
    output.dataset.question = question;
    status.textContent = !question ? "Type to search" : pages.length ? `${pages.length} pages` : "Nothing found";
  };
  let waiting;
  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 120);
  });
  box.form.addEventListener("submit", (event) => {
    event.preventDefault();
    output.querySelector("a")?.click();
  });
  show();
}
