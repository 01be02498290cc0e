// The tool "your job": fields in, a sentence and bars out. Loaded only where the tool stands. The address holds the
// choices; what the reader types, loads or has stays in the page. Without it the page keeps its table.

import { age, asCsv, asText, compute, counted, fromAddress, inTwo, matchCard, meant, network, number, range, ratesOf, spoken, toAddress, untar } from "./your-job-math.js";

const MOST_BYTES = 64e6;
const TYPING = /^(insertText|insertComposition|delete|history)/;
const ADDRESS_AFTER_MS = 200; // browsers refuse an address that changes with every key
const PUBLISHED_FIELDS = ["rent", "price", "watts"]; // filled from published figures until the reader types

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function link(text, address) {
  const made = element("a", text);
  made.href = address;
  return made;
}

class Tool {
  constructor(box, data) {
    this.box = box;
    this.data = data;
    this.root = box.dataset.root;
    this.mine = [];
    this.mineName = "";
    this.state = fromAddress(location.search, data);
    this.form = box.querySelector("form");
    this.prices = box.querySelector(".job-money");
    this.fill();
    this.listen();
    if (!new URLSearchParams(location.search).has("cpu")) this.chooseCpu();
    this.show();
    this.form.hidden = false;
    box.querySelector(".job-table").hidden = true;
  }

  out(name) {
    return this.box.querySelector(`[data-out="${name}"]`);
  }

  field(name) {
    return this.form.elements[name] ?? this.prices.elements[name];
  }

  /** Options of the selects, boxes of the cards, and the choices of the address. */
  fill() {
    const { networks, machines, cards } = this.data;
    const options = (name, items, title = "title") => this.field(name).append(...items.map((item) => new Option(item[title], item.id)));
    options("model", [...networks, { id: "own", title: "my own network" }]);
    options("like", networks);
    options("cpu", [...machines, { id: "mine", title: "mine: from a file" }, { id: "rate", title: "mine: a rate that I type" }]);
    options("on", [{ id: "", name: "the one in the sentence" }, ...cards], "name");
    this.field("add").list.append(...cards.map((card) => new Option(card.name)));
    const chosen = this.state.gpus.split(",");
    for (const card of cards) if (chosen.includes(card.id)) this.tick(card);
    for (const [name, value] of Object.entries(this.state)) if (this.field(name)) this.field(name).value = value;
  }

  /** The box of a card, made and ticked where there is none yet. */
  tick(card) {
    const found = this.box.querySelector(`input[name=gpu][value="${card.id}"]`);
    const tick = found ?? Object.assign(element("input"), { type: "checkbox", name: "gpu", value: card.id });
    tick.checked = true;
    if (found) return tick;
    const label = element("label", ` ${card.name}`);
    label.prepend(tick);
    this.box.querySelector(".job-cards").append(label);
    return tick;
  }

  /** Adds the card whose name the reader typed, or chose from the list that the browser shows. */
  add() {
    const field = this.field("add");
    const typed = field.value.trim();
    if (!typed) return;
    const { cards } = this.data;
    const having = (words) => cards.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
    const whole = having([typed.toLowerCase()]);
    const alike = whole.length ? whole : having(typed.toLowerCase().split(/\s+/)); // "laptop 4050"
    const card = alike.find(({ name }) => name.length === typed.length) ?? matchCard(this.data, typed) ?? (alike.length === 1 ? alike[0] : undefined);
    const which = alike.map(({ name }) => name).join(", ");
    this.out("looked").textContent = card ? `Added: ${card.name}.` : which ? `Which one? ${which}.` : `None of the ${cards.length} cards listed here is called ${typed}.`;
    if (!card) return;
    field.value = "";
    this.changed(this.tick(card));
  }

  listen() {
    for (const form of [this.form, this.prices]) {
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("input", (event) => this.changed(event.target));
      form.addEventListener("change", ({ target }) => {
        const understood = meant(target.name, target.value);
        if (understood !== target.value) target.value = understood;
      });
    }
    this.field("add").addEventListener("change", () => this.add());
    // What a reader picks from the browser's list is no typing, and some browsers call it a change only later.
    this.field("add").addEventListener("input", (event) => { if (!TYPING.test(event.inputType ?? "")) this.add(); });
    this.field("files").addEventListener("change", (event) => this.load([...event.target.files]));
    this.box.addEventListener("click", (event) => {
      const wanted = event.target.closest("button[data-do]")?.dataset.do;
      if (wanted === "look") this.look();
      else if (wanted) this.copy(wanted);
    });
  }

  changed(target) {
    if (target.name === "files" || target.name === "add") return;
    if (target.name === "gpu") {
      this.state.gpus = [...this.box.querySelectorAll("input[name=gpu]:checked")].map((one) => one.value).join(",");
    } else {
      if (target.value === "own") this.state.like = this.field("like").value = this.state.model;
      this.state[target.name] = meant(target.name, target.value);
      if (target.name === "model") this.chooseCpu();
      if (target.name === "on") for (const name of PUBLISHED_FIELDS) this.state[name] = "";
    }
    this.show(target);
  }

  /** A CPU of ours that was measured on the chosen model, where the chosen one was not. */
  chooseCpu() {
    const { rates, machines, defaults } = this.data;
    const on = rates.filter((one) => one.network === this.state.model).map((one) => one.machine);
    if (!on.length || on.includes(this.state.cpu) || !machines.some((one) => one.id === this.state.cpu)) return;
    this.state.cpu = this.field("cpu").value = on.includes(defaults.cpu) ? defaults.cpu : on[0];
  }

  /** Everything that follows from the choices; ``typing`` is the field that the reader is in. */
  show(typing = null) {
    const { state, data } = this;
    this.result = compute(data, state, this.mine);
    for (const one of this.box.querySelectorAll("[data-for]")) one.hidden = ![state.model === "own" ? "own" : "listed", state.cpu].includes(one.dataset.for);
    const own = network(data, { ...state, operations: "", weights: "", layers: "", outputs: "" });
    for (const [name, from] of [["operations", "forward"], ["weights", "parameters"], ["outputs", "activations"]]) {
      this.field(name).placeholder = own?.[from] ? inTwo(own[from] / 1e6) : "";
    }
    this.box.querySelector(".job-result").hidden = false;
    const { result } = this;
    this.box.dataset.verdict = result ? result.verdict : "";
    this.box.querySelector(".job-sentence").textContent = result ? result.sentence : "Type how many samples, epochs and samples in a batch you have.";
    this.box.querySelector(".job-chart").hidden = !result;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => history.replaceState(null, "", this.address()), ADDRESS_AFTER_MS);
    if (!result) return;
    this.showBars(result);
    this.showMoney(result.money, typing);
    this.showSure(result);
    this.out("command").textContent = result.net.command;
  }

  /** The page's address with the choices in it. */
  address() {
    const { cpu, n } = this.result ?? {};
    const query = toAddress(this.state, this.data, cpu?.kind === "measured" ? n / cpu.value : NaN);
    return `${location.origin}${location.pathname}${query ? `?${query}` : ""}${location.hash}`;
  }

  showBars({ rows, net }) {
    const ends = rows.filter((row) => row.kind !== "none").flatMap((row) => [row.low, row.high, ...(row.published ?? []).map((one) => one.seconds)]);
    const low = Math.log(Math.min(1, ...ends.map((value) => value / 1.5)));
    const high = Math.log(Math.max(1e6, ...ends.map((value) => value * 1.5)));
    const share = (seconds) => (Math.log(seconds) - low) / (high - low);
    const place = (seconds) => `${100 * share(seconds)}%`;
    this.box.querySelector(".job-rows").replaceChildren(...together(rows).map((group) => this.bar(group, place, net)));
    const words = this.data.axis.filter(([, seconds]) => Math.log(seconds) >= low && Math.log(seconds) <= high);
    this.box.querySelector(".job-axis").replaceChildren(...words.map(([word, seconds]) => {
      const tick = element("span", word, share(seconds) < 0.1 ? "job-start" : share(seconds) > 0.9 ? "job-end" : "");
      tick.style.left = place(seconds);
      return tick;
    }));
    const marks = { measured: "measured", estimated: "estimated, a range", typed: "your rate" };
    const legend = Object.entries(marks).filter(([kind]) => rows.some((row) => row.kind === kind));
    if (rows.some((row) => row.published?.length)) legend.push(["published", "published by others, at a batch near yours"]);
    this.box.querySelector(".job-legend").replaceChildren(...legend.map(([kind, text]) => {
      const item = element("span", text);
      item.prepend(element("i", "", `job-mark job-${kind}`));
      return item;
    }));
  }

  bar(group, place, net) {
    const [row] = group;
    const item = element("li", "", `job-${row.device}`);
    item.dataset.device = group.map((one) => one.id).join(" ");
    item.dataset.kind = row.kind;
    const name = element("span", "", "job-name");
    for (const one of group) name.append(one === row ? "" : ", ", one.card ? link(one.name, this.root + one.card.page) : one.name);
    item.append(name, element("span", row.kind === "estimated" ? `${row.time}, estimated` : row.time, "job-time"));
    if (row.kind !== "none") {
      const track = element("span", "", "job-track");
      track.setAttribute("aria-hidden", "true");
      const bar = element("span", "", `job-mark job-${row.kind}`);
      bar.style.left = place(row.low);
      bar.style.right = `calc(100% - ${place(row.high)})`;
      track.append(bar, ...(row.published ?? []).map((one) => {
        const dot = element("span", "", "job-mark job-published");
        dot.style.left = place(one.seconds);
        return dot;
      }));
      item.append(track);
    }
    item.append(this.note(row, net));
    return item;
  }

  /** What stands below a bar: where the number comes from, whether the batch fits. */
  note(row, net) {
    const note = element("span", "", "job-note");
    if (row.kind === "none") note.textContent = row.why;
    const { found, fits } = row;
    if (found) {
      const base = net.like ? `${net.like.title}: ` : "";
      const rate = `${base}${inTwo(found.rate[1])} ${net.noun} a second at batch ${counted(found.batch)}, ${found.backend}, ${found.runs} run${found.runs === 1 ? "" : "s"}`;
      note.append(found.page ? link(rate, this.root + found.page) : rate);
    }
    if (fits && row.kind !== "none") note.append(fits.surely >= number(this.state.batch) ? `fits its memory; the largest batch is about ${counted(fits.surely)}` : `may just fit its memory: the largest batch is about ${counted(fits.surely)} to ${counted(fits.perhaps)}`);
    if (row.published?.length) {
      const times = row.published.map((one) => one.rate);
      note.append(`; others measured ${inTwo(Math.min(...times))}${times.length > 1 ? ` to ${inTwo(Math.max(...times))}` : ""} ${net.noun} a second`);
    }
    return note;
  }

  showMoney(money, typing) {
    const box = this.out("money");
    if (!money) return box.replaceChildren();
    const { row, rent, cost, watts } = money;
    const filled = { rent: rent.value, price: cost.value, watts };
    for (const name of PUBLISHED_FIELDS) {
      if (typing !== this.field(name) && this.state[name] === "") this.field(name).value = filled[name] >= 0 ? filled[name] : "";
    }
    const lines = [element("p", `${row.name}:`)];
    if (money.job) lines.push(element("p", `Renting it for this job costs about ${money.job.map(dollars).join(" to ")}${rent.typed ? "" : " at the published rent"}.`, "job-cost"));
    if (money.isRentEqual) lines.push(element("p", "Rent: an hour of your own card costs as much in electricity as a rented one.", "job-cost"));
    if (money.hours >= 0) {
      const jobs = money.jobs ? `, ${money.jobs.map(inTwo).join(" to ")} such jobs` : "";
      const weeks = money.weeks >= 0 ? `, ${inTwo(money.weeks)} weeks at ${this.state.weekly} hours a week` : "";
      lines.push(element("p", `Buying pays after ${counted(Math.round(money.hours))} rented hours${jobs}${weeks}.`, "job-cost"));
    } else if (!money.isRentEqual) {
      lines.push(element("p", "Type what is missing, a rent or a price, to see when buying pays."));
    }
    for (const [what, price] of [["Rent", rent], ["Price", cost]]) if (price.date) lines.push(this.dated(what, price));
    box.replaceChildren(...lines);
  }

  dated(what, price) {
    const isOld = age(price.date) > this.data.old_days;
    const line = element("p", `${what}: ${price.by}, ${price.date}${isOld ? `, older than ${this.data.old_days} days; look up today's` : ""}. `, isOld ? "old-price" : "");
    line.append(link("Source", `${this.root}evidence/published/#${price.id}`));
    return line;
  }

  showSure({ rows, cpu, net }) {
    const texts = ["keras", "launching"].filter((how) => rows.some((row) => row.how === how)).map((how) => this.data.sure[how]);
    const { scaled } = this.data;
    if (cpu.how === "scaled") {
      texts.push(`The CPU's time: the rate of ${net.like.title}, scaled by the operations. Of ${scaled.pairs} pairs of our networks that differ in size only, up to ${scaled.most} times, the worst was off by ${inTwo(scaled.factor)} times, which is the range.`);
    }
    if (net.like) texts.push(`Your network: what you left empty is that of ${net.like.title}; what its layers put out is taken to grow with the operations. Of networks built otherwise this can be far off.`);
    if (cpu.kind === "measured") texts.push(`The CPU's time, ${range(cpu.low, cpu.high)} by ${cpu.found.page ? "its interval" : "the range of its runs"}, is that of float32 at the batch nearest to yours that was measured.`);
    if (cpu.found?.start) texts.push(`Start-up and the first step add about ${spoken(cpu.found.start)} on that CPU, and something on a GPU; neither is in the bars.`);
    texts.push("Steady training with data in memory, under TensorFlow on the GPU. Reading and decoding files, validation and a laptop that gets hot come on top.");
    this.out("sure").replaceChildren(...texts.map((text) => element("p", text)));
  }

  async load(files) {
    const texts = [];
    let said = "";
    try {
      for (const file of files) {
        if (file.size > MOST_BYTES) throw new Error(`${file.name} is too large`);
        if (/\.json$/i.test(file.name)) texts.push(await file.text());
        else texts.push(...untar(await unzipped(file)));
      }
      const records = texts.map((text) => JSON.parse(text));
      this.mine = ratesOf(this.data, records);
      if (!this.mine.length) said = "No training on a CPU of a model that is listed here is in it.";
    } catch (error) {
      this.mine = [];
      said = `This is no file of refresh_benchmarks.py: ${error.message}`;
    }
    if (this.mine.length && !this.mine.some((one) => one.network === this.state.model) && this.state.model !== "own") {
      this.state.model = this.field("model").value = this.mine[0].network;
    }
    this.show();
    if (said) this.box.querySelector(".job-sentence").textContent = said;
  }

  /** Reads what the browser tells of its graphics card and cores, and proposes; sends nothing. */
  look() {
    const gl = document.createElement("canvas").getContext("webgl");
    const extension = gl?.getExtension("WEBGL_debug_renderer_info");
    const name = gl ? String(gl.getParameter(extension ? extension.UNMASKED_RENDERER_WEBGL : gl.RENDERER)) : "no graphics card";
    const card = matchCard(this.data, name);
    const threads = navigator.hardwareConcurrency;
    const parts = [`Your browser names ${name}${card ? `, here ${card.name}: chosen` : ", none of the cards listed here"}.`];
    if (threads) parts.push(`It counts ${threads} CPU threads; how fast they train only a measurement tells.`);
    this.out("looked").textContent = parts.join(" ");
    if (card) this.changed(this.tick(card));
  }

  async copy(what) {
    if (!this.result && what !== "link") return;
    const text = { link: () => this.address(), text: () => asText(this.result, this.state, this.address()), csv: () => asCsv(this.result, this.state) }[what]();
    try {
      await navigator.clipboard.writeText(text);
      this.out("copied").textContent = "Copied";
    } catch {
      this.out("copied").replaceChildren("Copy it from here: ", element("code", text));
    }
  }
}

/** Rows, those in one that have no time for the same reason. */
function together(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.why ?? row.id, [...(groups.get(row.why ?? row.id) ?? []), row]);
  return [...groups.values()];
}

async function unzipped(file) {
  try {
    return new Uint8Array(await new Response(file.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  } catch {
    throw new Error(`${file.name} is not compressed by gzip`); // the browser's words are of a failed fetch
  }
}

function dollars(value) {
  return value < 0.01 ? "under a cent" : `${value < 1 ? value.toFixed(2) : inTwo(value)} USD`;
}

async function start(box) {
  const answer = await fetch(box.dataset.root + box.dataset.file);
  const data = answer.ok ? await answer.json() : { networks: [] };
  if (data.networks.length) new Tool(box, data);
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    start(target);
  }
}, { rootMargin: "1200px" });
for (const box of document.querySelectorAll(".your-job")) seen.observe(box);
