// Arithmetic and words of the tool "your job". Knows no page: data/your-job.json and the reader's choices in, results
// out. Constants come with the data; a test compares every number with the formula of bench/report/estimates.

const OWN = "own";
const TYPED = "rate";
const MINE = "mine";
const POSITIVE = ["samples", "epochs", "batch", "rate", "operations", "weights", "layers", "outputs"];
const COUNTS = ["samples", "epochs", "batch"];
const NOT_NEGATIVE = ["rent", "price", "resale", "watts", "kwh", "weekly"];
const MOST = 1e12; // of what is typed: products of a few stay finite and readable
const NUMBER = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NEAR_BATCH = 2; // published figures at a batch this much larger or smaller are shown
const DAY_MS = 864e5;
const ENDLESS_S = 31557600e3; // a thousand years
const UNITS = [[31557600, "years"], [86400, "days"], [3600, "hours"], [60, "minutes"], [1, "seconds"]];
// Words of a graphics card's name that make another card of it.
const TELLING = /^(\d+gb|laptop|maxq|ti|super|xt|xtx|ada|pro|pcie|sxm\d?|d|[a-z]\d+[a-z]?)$/;
const BRANDS = new Set("nvidia amd ati intel geforce tesla radeon graphics gpu generation edition design with r tm c corporation".split(" "));

// Choices.

/** A number that the reader typed; NaN for none, for a negative one, and for one so large or small that it is a slip. */
export function number(text) {
  const value = String(text).trim() === "" ? NaN : Number(text);
  return value === 0 || (value >= 1 / MOST && value <= MOST) ? value : NaN;
}

/** A choice as the reader means it: in a field for a count "2.000", "2,000" and "2 000" are two thousand, "2,5" is 2.5. */
export function meant(name, text) {
  const typed = text.trim();
  if (!COUNTS.includes(name)) return text;
  return /^[1-9]\d{0,2}([.,\s'’]\d{3})+$/.test(typed) ? typed.replace(/\D/g, "") : typed.replace(/^(\d+),(\d+)$/, "$1.$2");
}

/** The choices in an address, each as it may be, else the default. */
export function fromAddress(search, data) {
  const asked = new URLSearchParams(search);
  const state = { ...data.defaults };
  const ids = (items) => items.map((item) => item.id);
  const known = {
    model: [...ids(data.networks), OWN], like: ids(data.networks), cpu: [...ids(data.machines), TYPED],
    precision: Object.keys(data.policies), on: ["", ...ids(data.cards)],
  };
  for (const [name, values] of Object.entries(known)) {
    if (values.includes(asked.get(name))) state[name] = asked.get(name);
  }
  for (const name of [...POSITIVE, ...NOT_NEGATIVE]) {
    const value = NUMBER.test(asked.get(name)) ? number(asked.get(name)) : NaN;
    if (Number.isFinite(value) && (value > 0 || NOT_NEGATIVE.includes(name))) state[name] = asked.get(name);
  }
  if (asked.has("gpus")) {
    const chosen = new Set(asked.get("gpus").split(","));
    state.gpus = ids(data.cards).filter((id) => chosen.has(id)).join(",");
  }
  return state;
}

/** The choices that differ from the defaults, as an address has them; the rate of a loaded file goes as a typed one. */
export function toAddress(state, data, cpuRate = NaN) {
  const said = state.cpu === MINE ? { ...state, cpu: Number.isFinite(cpuRate) ? TYPED : data.defaults.cpu, rate: Number.isFinite(cpuRate) ? String(cpuRate) : "" } : state;
  const chosen = Object.keys(data.defaults).filter((name) => said[name] !== data.defaults[name]);
  return new URLSearchParams(chosen.map((name) => [name, said[name]])).toString();
}

// The formula.

/** The network of the choices; a reader's own takes what was not typed from the one that it is built like. */
export function network(data, state) {
  const find = (id) => data.networks.find((one) => one.id === id);
  if (state.model !== OWN) return find(state.model);
  const like = find(state.like);
  if (!like) return undefined;
  const typed = (name, otherwise, unit = 1e6) => (number(state[name]) > 0 ? number(state[name]) * unit : otherwise);
  const forward = typed("operations", like.forward);
  const parameters = typed("weights", like.parameters);
  const scale = forward / like.forward;
  const operations = typed("layers", like.operations, data.operations_of_layer[like.family] ?? NaN);
  const most = data.formula.most;
  const isLarge = forward > most.forward || parameters > most.parameters || operations > most.matrix_operations;
  return {
    ...like, like, scale, forward, parameters,
    title: `a network built like ${like.title}`,
    activations: typed("outputs", like.activations * scale),
    operations,
    refused: like.refused || (isLarge ? "large" : ""),
  };
}

/** Seconds of a training step on a card, as a range; or why there is no estimate. */
export function step(data, net, card, batch, policy) {
  const why = net.refused || card.refused[policy];
  if (why) return { kind: "refused", why };
  const terms = data.formula;
  const host = (terms.launch + terms.launch_each * net.operations) * card.launch;
  const computed = (batch * terms.training_over_forward * net.forward) / card.peak[policy] / terms.arithmetic;
  const moved = (terms.memory * data.policies[policy] * batch * net.activations + terms.weight * net.parameters) / card.bandwidth;
  const gpu = (computed + moved) * card.slower;
  const seconds = host + gpu;
  const [low, high] = terms.ranges[host > gpu ? "launching" : "keras"];
  if (host > gpu) return { kind: "launching", seconds, low: Math.min(seconds, Math.max(terms.floor, low * gpu)), high: high * seconds };
  return { kind: "keras", seconds, low: low * seconds, high: high * seconds };
}

/** Largest batches that a card's memory holds, surely and perhaps; undefined where nobody can say. */
export function largestBatch(data, net, card, policy) {
  if (!card.memory || !(net.activations > 0) || !(net.parameters >= 0)) return undefined;
  const room = card.memory - data.memory.context - data.memory.weight * net.parameters;
  const [surely, perhaps] = data.memory.kept.map((kept) => room / (data.policies[policy] * net.activations * kept));
  return { surely: powerOfTwo(surely), perhaps: powerOfTwo(perhaps) };
}

function powerOfTwo(value) {
  return value >= 1 ? 2 ** Math.floor(Math.log2(value)) : 0;
}

/** Rented hours that cost as much as a card of one's own; undefined where an own hour costs as much as a rented one. */
export function breakEven(price, rent, resale, watts, kwh) {
  const saved = rent - (watts / 1000) * kwh;
  return saved > 0 ? Math.max(price - resale, 0) / saved : undefined;
}

// One job on every device.

/** Of measured rates the one at the batch nearest to that of the job, the faster of two as near. */
function nearest(rates, batch) {
  const off = (one) => Math.abs(Math.log(one.batch / batch));
  return [...rates].sort((a, b) => off(a) - off(b) || b.rate[1] - a.rate[1])[0];
}

function withRate(found, n, factor = 1) {
  const [low, value, high] = found.rate;
  return { kind: "measured", low: n / high * factor, value: n / value * factor, high: n / low * factor, found };
}

function onCpu(data, state, net, n, mine) {
  const machine = data.machines.find((one) => one.id === state.cpu);
  const row = { id: "cpu", device: "cpu", name: machine ? machine.title : "your CPU", said: machine ? machine.said : "your CPU" };
  if (state.cpu === TYPED) {
    const value = n / number(state.rate);
    if (value > 0 && Number.isFinite(value)) return { ...row, kind: "typed", low: value, value, high: value };
    return { ...row, kind: "none", why: "Type how many samples a second your CPU trains." };
  }
  const known = state.cpu === MINE ? mine : data.rates.filter((one) => one.machine === state.cpu);
  const base = net.like ?? net;
  const found = nearest(known.filter((one) => one.network === base.id), number(state.batch));
  if (!found) {
    return { ...row, kind: "none", why: state.cpu === MINE && !mine.length ? "Load a file, see above." : `Nobody has measured ${base.title} on it.` };
  }
  if (!net.like) return { ...row, ...withRate(found, n) };
  const { factor, most } = data.scaled ?? {};
  if (!(net.scale <= most && net.scale >= 1 / most)) {
    return { ...row, kind: "none", why: "Your network is of another size than any that was measured; type a rate that you measured." };
  }
  const { low, value, high } = withRate(found, n, net.scale);
  return { ...row, kind: "estimated", how: "scaled", low: low / factor, value, high: high * factor, found };
}

function onGpu(data, state, net, n, card) {
  const batch = number(state.batch);
  const policy = state.precision;
  const row = { id: card.id, device: "gpu", name: card.name, said: card.said, card, published: [] };
  const own = data.gpu_rates.filter((one) => one.card === card.id && one.network === net.id && one.policy === policy && !net.like);
  if (own.length) return { ...row, ...withRate(nearest(own, batch), n) };
  if (!net.like) {
    row.published = data.published
      .filter(([id, on, how, size]) => id === net.id && on === card.id && how === policy && Math.abs(Math.log(size / batch)) <= Math.log(NEAR_BATCH))
      .map(([, , , size, rate]) => ({ batch: size, rate, seconds: n / rate }));
  }
  const guess = step(data, net, card, batch, policy);
  if (guess.kind === "refused") {
    const [reason, instead] = data.refused[guess.why];
    return { ...row, kind: "none", refused: guess.why, why: `No estimate: ${reason}. Known instead: ${instead}.` };
  }
  row.fits = largestBatch(data, net, card, policy);
  if (row.fits && row.fits.perhaps < batch) {
    const most = row.fits.perhaps;
    return { ...row, kind: "none", refused: "memory", why: most ? `A batch of ${counted(batch)} does not fit its memory; about ${counted(most)} does.` : "Not even one sample fits its memory." };
  }
  const steps = Math.ceil(number(state.samples) / batch) * number(state.epochs);
  return { ...row, kind: "estimated", how: guess.kind, low: guess.low * steps, value: guess.seconds * steps, high: guess.high * steps };
}

/** Every device's time for the job of the choices, what follows from them, and in a sentence; undefined where a number is missing. */
export function compute(data, state, mine = []) {
  const net = network(data, state);
  const [samples, epochs, batch] = ["samples", "epochs", "batch"].map((name) => number(state[name]));
  if (!net || ![samples, epochs, batch].every((value) => value > 0 && Number.isFinite(value))) return undefined;
  const n = samples * epochs;
  const cpu = onCpu(data, state, net, n, mine);
  const chosen = state.gpus.split(",");
  const gpus = data.cards.filter((card) => chosen.includes(card.id)).map((card) => onGpu(data, state, net, n, card));
  const timed = [cpu, ...gpus].map((row) => ({ ...row, time: timeOf(row) }));
  const [first, ...cards] = timed;
  const rows = [first, ...[...cards].sort((one, other) => (other.value ?? 0) - (one.value ?? 0))];
  const result = { net, n, rows, cpu: first, gpu: reference(cards) };
  return { ...result, ...answer(data, result), money: money(data, state, result) };
}

/** The graphics card that the sentence speaks of: a free one, else the first that has a time. */
function reference(rows) {
  const timed = rows.filter((row) => row.kind !== "none");
  return timed.find((row) => row.card.free) ?? timed[0] ?? rows[0];
}

/** How a card's time stands to the CPU's: "faster" or "slower" where the whole range is. */
function relation(cpu, gpu) {
  if (!gpu || gpu.kind === "none" || cpu.kind === "none") return "unknown";
  if (gpu.high < cpu.low) return "faster";
  return gpu.low > cpu.high ? "slower" : "open";
}

const HEADS = {
  "cpu": "No GPU needed",
  "patience": "A matter of patience",
  "gpu": "You want a GPU",
  "long": "A long job for this CPU",
  "no-gain": "A GPU would not help",
  "open": "A GPU may not help",
  "no-cpu": "Nobody knows this CPU's time yet",
  "nothing": "Nobody knows yet",
};

function verdictOf(data, cpu, gpu) {
  const how = relation(cpu, gpu);
  if (cpu.kind === "none") return gpu && gpu.kind !== "none" ? "no-cpu" : "nothing";
  if (cpu.high <= data.coffee_break) return "cpu";
  if (how === "slower") return "no-gain";
  if (how === "open") return "open";
  if (cpu.low <= data.overnight) return "patience";
  return how === "faster" ? "gpu" : "long";
}

function answer(data, { cpu, gpu }) {
  const verdict = verdictOf(data, cpu, gpu);
  const timed = [cpu, gpu].filter((row) => row && row.kind !== "none");
  const isAll = timed.length > 1 && timed.every((row) => row.kind === "estimated");
  const said = timed.map((row) => `${row.time} on ${row.said}${row.kind === "estimated" && !isAll ? " (estimated)" : ""}`);
  if (gpu && gpu.kind === "none" && said.length) said.push(gpu.refused === "memory" ? `the batch does not fit ${gpu.said}` : `no estimate for ${gpu.said}`);
  return { verdict, relation: relation(cpu, gpu), sentence: `${HEADS[verdict]}${said.length ? `: ${said.join("; ")}` : ""}${isAll ? " (both estimated)" : ""}.` };
}

/** Rent of the job on one card, and from when on buying it pays; prices are the reader's, else published ones. */
export function money(data, state, { rows, gpu }) {
  const row = rows.find((one) => one.id === state.on && one.card) ?? gpu;
  if (!row) return undefined;
  const price = (name) => (state[name] !== "" ? { value: number(state[name]), typed: true } : row.card[name] ? { ...row.card[name] } : { value: NaN });
  const [rent, cost] = [price("rent"), price("price")];
  const watts = state.watts !== "" ? number(state.watts) : row.card.watts ?? 0;
  const hours = breakEven(cost.value, rent.value, number(state.resale) || 0, watts, number(state.kwh) || 0);
  const isTimed = row.kind !== "none";
  const jobHours = isTimed ? [row.low / 3600, row.high / 3600] : undefined;
  return {
    row, rent, cost, watts, hours,
    isRentEqual: rent.value >= 0 && cost.value >= 0 && watts >= 0 && hours === undefined,
    job: isTimed && rent.value >= 0 ? jobHours.map((value) => value * rent.value) : undefined,
    jobs: isTimed && hours >= 0 ? [hours / jobHours[1], hours / jobHours[0]] : undefined,
    weeks: hours >= 0 && number(state.weekly) > 0 ? hours / number(state.weekly) : undefined,
  };
}

// Words.

/** A number in full, thousands apart. */
export function counted(value) {
  return value.toLocaleString("en", { maximumFractionDigits: 2 });
}

function unitOf(seconds) {
  return UNITS.find(([size]) => seconds >= (size > 1 ? 2 * size : size)) ?? UNITS.at(-1);
}

/** Two significant digits, without an exponent. */
export function inTwo(value) {
  return Number(value.toPrecision(2)).toLocaleString("en", { maximumSignificantDigits: 2 });
}

/** Seconds as people say them: "6 minutes", "under a second". */
export function spoken(seconds) {
  if (seconds < 0.95) return "under a second";
  if (seconds >= ENDLESS_S) return "over 1,000 years";
  const [size, name] = unitOf(seconds);
  const text = inTwo(seconds / size);
  return `${text} ${text === "1" ? name.slice(0, -1) : name}`;
}

/** A range of seconds, the unit once where both ends have it: "20 to 70 seconds". */
export function range(low, high) {
  const [from, to] = [spoken(low), spoken(high)];
  if (from === to) return from;
  if (low < 0.95) return `up to ${to}`;
  const [size, name] = unitOf(high);
  return low >= size && high < ENDLESS_S ? `${inTwo(low / size)} to ${inTwo(high / size)} ${name}` : `${from} to ${to}`;
}

function timeOf(row) {
  if (row.kind === "none") return "";
  return row.kind === "estimated" ? range(row.low, row.high) : spoken(row.value);
}

/** Whole days since a date such as "2026-09-20", "2026-09" or "2026"; the first day counts where one is missing. */
export function age(date, now = Date.now()) {
  return Math.floor((now - Date.parse(date)) / DAY_MS);
}

const KINDS = { measured: "measured", estimated: "estimated", typed: "your rate", none: "" };

/** The result as lines to paste. */
export function asText(result, state, address) {
  const lines = result.rows.map((row) => `- ${row.name}: ${row.kind === "none" ? row.why : `${row.time} (${KINDS[row.kind]})`}`);
  const job = `${result.net.title}: ${counted(number(state.samples))} samples, ${counted(number(state.epochs))} epochs, batch ${counted(number(state.batch))}, ${state.precision}`;
  return [result.sentence, job, ...lines, address].join("\n");
}

/** The result as comma-separated values, seconds. */
export function asCsv(result, state) {
  const cell = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
  const head = ["device", "kind", "low_s", "middle_s", "high_s", "largest_batch", "why", "model", "samples", "epochs", "batch", "precision"];
  const job = [result.net.title, state.samples, state.epochs, state.batch, state.precision];
  const rows = result.rows.map((row) => [row.name, KINDS[row.kind], row.low, row.value, row.high, row.fits?.perhaps, row.why, ...job]);
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

// What the reader has.

function wordsOf(name) {
  const text = name.toLowerCase().replace(/\(r\)|\(tm\)/g, " ").replace(/max-q|max q/g, "maxq").replace(/\/pcie.*|\/sse2.*|direct3d.*|\(0x.*/, " ")
    .replace(/[^a-z0-9]+/g, " ").replace(/(\d)\s*(?:gb|gib)\b/g, "$1gb").replace(/\b(rtx|gtx|rx)(\d)/g, "$1 $2")
    .replace(/\b(\d{3,4})(ti|super)\b/g, "$1 $2").replace(/\b(mobile|notebook)\b/g, "laptop");
  return new Set(text.split(" ").filter((word) => word && !BRANDS.has(word)));
}

/** The listed card that a browser's name for its graphics card means; undefined where it is none, or one near it. */
export function matchCard(data, renderer) {
  // ANGLE (maker, name, driver)
  const inside = /^ANGLE \([^,]*, (.*), [^,]*\)$/.exec(renderer);
  const words = wordsOf(inside ? inside[1] : renderer);
  let best;
  for (const card of data.cards) {
    const own = new Set(card.words.flat());
    const fits = card.words.filter((name) => name.every((word) => words.has(word)));
    const size = Math.max(0, ...fits.map((name) => name.length));
    if (size && ![...words].some((word) => TELLING.test(word) && !own.has(word)) && !(best?.size >= size)) best = { card, size };
  }
  return best?.card;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function samplesOf(run, cell) {
  return number(number(run.n_samples_per_step) > 0 ? run.n_samples_per_step : cell.batch_size);
}

/** Rates of the listed networks in stored records, each with the range of its runs; what is no training on a CPU is left out. */
export function ratesOf(data, records) {
  const found = [];
  for (const record of records) {
    const cell = record?.cell;
    if (record?.status !== "ok" || cell?.mode !== "train" || cell.device !== "cpu" || !(number(cell.batch_size) > 0) || !Array.isArray(record.runs)) continue;
    const net = data.networks.find((one) => one.workload === cell.workload && same(one.params, cell.params ?? {}));
    const runs = record.runs.filter((run) => run?.status === "ok" && Array.isArray(run.blocks) && run.blocks.length);
    const steps = runs.map((run) => median(run.blocks.map((block) => block?.[1] / block?.[0])));
    if (!net || !steps.length || !steps.every((value) => number(value) > 0)) continue;
    const n = samplesOf(runs[0], cell);
    found.push({ network: net.id, batch: number(cell.batch_size), backend: String(cell.backend), runs: steps.length,
                 rate: [n / Math.max(...steps), n / median(steps), n / Math.min(...steps)] });
  }
  return found;
}

function same(one, other) {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

/** Texts of the regular files in a tar archive. */
export function untar(bytes) {
  const text = new TextDecoder();
  const found = [];
  for (let at = 0; at + 512 <= bytes.length && bytes[at];) {
    const size = parseInt(text.decode(bytes.subarray(at + 124, at + 136)), 8);
    if (!(size >= 0)) throw new Error("not a tar archive");
    const kind = bytes[at + 156];
    if (kind === 48 || kind === 0) found.push(text.decode(bytes.subarray(at + 512, at + 512 + size)));
    at += 512 + 512 * Math.ceil(size / 512);
  }
  return found;
}
