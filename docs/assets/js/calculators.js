// Calculators of the guides. Every number comes from the form's data attributes, which the build takes from records
// and published rows, or from the reader. Does nothing on other pages; without it the pages keep their tables.

"use strict";

{
  const DAY_MS = 86400000;

  /** Three significant digits, without an exponent. */
  function round(value) {
    return value >= 1000 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString();
  }

  /** Seconds as a reader says them. */
  function duration(seconds) {
    for (const [size, name] of [[86400, "days"], [3600, "h"], [60, "min"]]) {
      if (seconds >= (size === 86400 ? 2 * size : size)) return `${round(seconds / size)} ${name}`;
    }
    return `${round(seconds)} s`;
  }

  /** A field's number; nothing where it is empty or negative. */
  function typed(form, name) {
    const field = form.elements[name];
    const value = field.value === "" ? NaN : Number(field.value);
    return value >= 0 ? value : NaN;
  }

  function chosen(form, name) {
    return form.elements[name].selectedOptions[0];
  }

  function line(text, className) {
    const element = document.createElement("p");
    element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  /** Seconds for samples and epochs at the chosen rate, with the ends of its interval, and the word for the wait. */
  function howLong(form) {
    const data = chosen(form, "case").dataset;
    const samples = typed(form, "samples");
    const epochs = typed(form, "epochs");
    if (!(samples > 0 && epochs > 0)) return [line("Type how many samples and epochs you have.")];
    const start = Number(data.start);
    const [middle, low, high] = [data.rate, data.high, data.low].map((rate) => start + samples * epochs / Number(rate));
    const limits = form.dataset.limits.split(" ").map((entry) => entry.split("="));
    const found = limits.find(([, limit]) => middle <= Number(limit));
    const word = found ? found[0].replaceAll("-", " ") : form.dataset.tooLong;
    return [
      line(`${duration(middle)} (${duration(low)} to ${duration(high)}, n = ${data.n}): ${word}`, "result"),
      line(`${round(samples)} x ${round(epochs)} / ${round(Number(data.rate))} ${data.noun} per second`
        + ` + ${round(start)} s for start and first step. ${data.arm}.`),
    ];
  }

  /** Whole days since a date such as "2026-09-20", "2026-09" or "2026"; the first day counts where one is missing. */
  function age(date) {
    return Math.floor((Date.now() - Date.parse(date)) / DAY_MS);
  }

  function agingLine(form, name, what) {
    const { price, date } = chosen(form, name).dataset;
    const field = form.elements[name === "card" ? "price" : "hourly"];
    if (Number(price) !== Number(field.value)) return line(`${what}: your own price.`);
    const days = age(date);
    const old = days > Number(form.dataset.oldDays);
    return line(old ? `${what}: dated ${date}, older than ${form.dataset.oldDays} days; look up today's.` : `${what}: dated ${date}.`,
      old ? "old-price" : "");
  }

  /** Hours of rent that cost as much as the card. */
  function buyOrRent(form) {
    const [price, hourly] = [typed(form, "price"), typed(form, "hourly")];
    const [resale, watts, kwh] = ["resale", "watts", "kwh"].map((name) => typed(form, name) || 0);
    const weekly = typed(form, "weekly");
    if (!(price >= 0 && hourly > 0)) return [line("Type the price of the card and of a rented hour.")];
    const power = watts / 1000 * kwh;
    const notes = [agingLine(form, "card", "Card"), agingLine(form, "rent", "Rent")];
    if (hourly <= power) {
      return [line("Rent: an hour of your own card costs as much in electricity as a rented one.", "result"), ...notes];
    }
    const hours = Math.max(price - resale, 0) / (hourly - power);
    const weeks = weekly > 0 ? `, ${round(hours / weekly)} weeks at ${round(weekly)} hours a week` : "";
    return [
      line(`Break-even after ${round(hours)} hours${weeks}: rent below, buy above.`, "result"),
      line(`(${price} - ${resale}) / (${hourly} - ${watts} / 1000 x ${kwh}) = ${round(hours)}`),
      ...notes,
    ];
  }

  const KINDS = { "how-long": howLong, "buy-or-rent": buyOrRent };
  const FILLS = { card: "price", rent: "hourly" };

  function start() {
    for (const form of document.querySelectorAll("form.calculator[hidden]")) {
      const compute = KINDS[form.dataset.calculator];
      if (!compute) continue;
      const output = form.querySelector("output");
      const show = () => output.replaceChildren(...compute(form));
      form.addEventListener("change", (event) => {
        const filled = FILLS[event.target.name];
        if (filled) form.elements[filled].value = event.target.selectedOptions[0].dataset.price;
        show();
      });
      form.addEventListener("input", show);
      form.addEventListener("submit", (event) => event.preventDefault());
      form.hidden = false;
      show();
    }
  }

  addEventListener("DOMContentLoaded", start);
  if (document.readyState !== "loading") start();
}
