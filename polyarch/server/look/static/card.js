// One candidate: what was written, what others say of it, what it cost.
import { button, el, num, score, secs, told, usd } from "./words.js";

// Characters of a text beyond which it is folded, and of an answer that is shown beside its text.
const FOLDED = 260;
const LONGEST = 160;

const flat = text => text.replace(/\s+/g, " ").trim();

// A score, filled as far as it goes if it is a share.
function chip(name, value) {
  const made = el("span", `${name} ${score(value)}`, "chip");
  if (value >= 0 && value <= 1) made.style.setProperty("--share", `${100 * value}%`);
  return made;
}

export class Card {
  constructor(key, number, jump) {
    this.key = key;
    this.jump = jump;
    this.scores = {};
    this.notes = {};
    this.tokens = 0;
    this.usd = 0;
    this.seconds = 0;
    this.root = el("article", undefined, `card writing k${number % 8}`);
    this.root.setAttribute("aria-label", key);
    this.root.tabIndex = -1;
    this.head = el("header");
    this.mark = el("span", "", "mark");
    this.model = el("span");
    this.parents = el("span");
    this.head.append(el("span", key), this.model, this.parents, this.mark);
    this.gave = el("div", "", "gave");
    this.text = el("div", "", "text");
    this.judged = el("ul", undefined, "judged");
    this.foot = el("footer");
    this.cost = el("span");
    this.more = button("more", "plain", () => this.open(!this.root.classList.contains("open")));
    this.more.setAttribute("aria-expanded", "false");
    this.more.setAttribute("aria-label", `more of ${key}`);
    this.more.hidden = true;
    this.foot.append(this.cost, this.more);
    this.gave.hidden = true;
    this.root.append(this.head, this.gave, this.text, this.judged, this.foot);
  }

  get writing() {
    return this.root.classList.contains("writing");
  }

  open(is) {
    this.root.classList.toggle("open", is);
    this.more.textContent = is ? "less" : "more";
    this.more.setAttribute("aria-expanded", String(is));
  }

  // More of the text, as it is written.
  write(part) {
    if (!this.writing) return;
    this.text.textContent += part;
    this.text.scrollTop = this.text.scrollHeight;
  }

  clear() {
    if (this.writing) this.text.textContent = "";
  }

  // A reply is there; what it cost.
  drew(data) {
    this.model.textContent = data.model;
    this.spend(data);
  }

  spend(data) {
    this.tokens += (data.prompt || 0) + (data.tokens || 0);
    this.usd += data.usd || 0;
    this.seconds += data.seconds || 0;
    const parts = [`${num(this.tokens)} tokens`];
    if (this.usd) parts.push(usd(this.usd));
    if (this.seconds) parts.push(secs(this.seconds));
    this.cost.textContent = parts.join(" · ");
  }

  // The candidate is made: its whole text, and the answer in it.
  made(data) {
    this.root.classList.remove("writing");
    this.text.textContent = data.text;
    this.text.scrollTop = 0;
    this.gave.hidden = data.answer !== null && (data.answer.length > LONGEST || flat(data.answer) === flat(data.text));
    this.gave.textContent = data.answer ?? "no answer";
    this.gave.classList.toggle("none", data.answer === null);
    if (data.parents && data.parents.length) {
      this.parents.replaceChildren("from ");
      data.parents.forEach((parent, place) => this.parents.append(place ? ", " : "", button(parent, "plain", () => this.jump(parent))));
    }
    this.fold(data.text);
    this.judge("", data);
  }

  // A step says something of the candidate: scores and notes that are new.
  judge(step, data) {
    const fresh = (now, before) => Object.entries(now || {}).filter(([name, one]) => JSON.stringify(before[name]) !== JSON.stringify(one));
    const scores = fresh(data.scores, this.scores);
    const notes = fresh(data.notes, this.notes);
    Object.assign(this.scores, data.scores);
    Object.assign(this.notes, data.notes);
    if (!scores.length && !notes.length) return;
    const line = el("li");
    const by = el("div", undefined, "by");
    if (step) by.append(el("span", step));
    for (const [name, value] of scores) by.append(chip(name, value));
    line.append(by);
    for (const [, note] of notes) {
      const text = told(note);
      line.append(el("div", text, "note"));
      this.fold(text);
    }
    this.judged.append(line);
  }

  fold(text) {
    if (text.length > FOLDED || text.split("\n").length > 5) this.more.hidden = false;
  }

  // What became of it: the result, dropped, not read, …
  is(what, kind) {
    if (kind === "waste" && this.root.classList.contains("waste")) return;
    this.mark.textContent = what;
    this.root.classList.add(kind);
    this.root.classList.remove("writing");
  }
}
