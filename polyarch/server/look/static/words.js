// Numbers and values as people read them, and elements made of text alone.
export const $ = id => document.getElementById(id);

// Tell those who listen to the page.
export const say = text => { $("told").textContent = text; };

export function el(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

export function button(text, kind, click) {
  const made = el("button", text, kind);
  made.type = "button";
  made.addEventListener("click", click);
  return made;
}

export const num = n => n.toLocaleString("en");
export const plural = (n, thing) => `${num(n)} ${thing}${n === 1 ? "" : "s"}`;
export const usd = v => (v === 0 ? "$0" : v < 0.01 ? `$${v.toPrecision(2)}` : `$${v.toFixed(2)}`);
export const secs = s => (s < 10 ? `${s.toFixed(2)} s` : s < 100 ? `${s.toFixed(1)} s` : `${num(Math.round(s))} s`);
export const score = v => (Number.isInteger(v) ? String(v) : String(+v.toPrecision(3)));

const empty = value => value === 0 || value === "" || value === false || value === null || (Array.isArray(value) && !value.length);

// A note on one line: its texts, if it has any, else all that is something.
export function told(value) {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value);
  const shown = Object.entries(value).filter(([, one]) => !empty(one));
  const texts = shown.map(([, one]) => one).filter(one => typeof one === "string");
  if (texts.length) return texts.join(" · ");
  return shown.map(([name, one]) => name.replaceAll("_", " ") + (one === true ? "" : ` ${JSON.stringify(one)}`)).join(" · ");
}
