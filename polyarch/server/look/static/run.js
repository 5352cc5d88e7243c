// One run, drawn from its events as they come: cards of candidates, step by step, and the sums.
import { Card } from "./card.js";
import { el, num, plural, secs, told, usd } from "./words.js";

// Draws that were asked for and have not come.
const under = step => step.requests.reduce((sum, request) => sum + request.left, 0);

const index = key => Number(key.slice(key.lastIndexOf("[") + 1, -1));

function gaveUp(step, place) {
  const request = step.requests.findLast(one => one.place === place && one.left > 0);
  if (request) request.left = 0;
}

export class Run {
  constructor(place, votes, pipeline, graph) {
    this.place = place;
    this.votes = votes;
    this.pipeline = pipeline;
    this.graph = graph;
    this.steps = new Map(pipeline.graph.boxes.map((box, number) => [box.name, { box, number, made: 0, tokens: 0, calls: 0, usd: 0, requests: [], part: null, costs: new Map() }]));
    this.cards = new Map();
    this.calls = 0;
    this.prompt = 0;
    this.tokens = 0;
    this.usd = 0;
    place.replaceChildren();
    votes.replaceChildren();
  }

  get open() {
    return [...this.steps.values()].reduce((sum, step) => sum + under(step), 0);
  }

  take(event) {
    const step = this.steps.get(event.step);
    if (!step) return;
    const does = this[event.what];
    if (does) does.call(this, step, event, event.data || {});
    this.tell(step);
  }

  asked(step, event, data) {
    step.requests.push({ place: event.place, draws: data.draws, left: data.draws });
    if (!step.box.writes) return;
    for (let place = event.place; place < event.place + data.draws; place++) this.card(step, `${step.box.name}[${place}]`);
  }

  // Part of a reply, while it is written.
  wrote(step, event, data) {
    if (step.box.writes) this.cards.get(`${step.box.name}[${event.place}]`)?.write(data.text);
  }

  drew(step, event, data) {
    const request = step.requests.find(one => one.left > 0 && one.place <= event.place && event.place < one.place + one.draws);
    if (request) request.left -= 1;
    step.calls += 1;
    step.tokens += data.prompt + data.tokens;
    step.usd += data.usd;
    this.calls += 1;
    this.prompt += data.prompt;
    this.tokens += data.tokens;
    this.usd += data.usd;
    this.spent(step, event, data);
  }

  recalled(step, event, data) {
    this.spent(step, event, { ...data, tokens: 0, prompt: 0, usd: 0, seconds: 0 });
  }

  // Put a reply's cost down to the candidate at its place: at once, or when it is known which.
  spent(step, event, data) {
    if (step.box.shape === "all" && !step.box.writes) return;
    const card = this.cards.get(`${step.box.name}[${event.place}]`);
    if (card) card.drew(data);
    else step.costs.set(event.place, [...(step.costs.get(event.place) || []), data]);
  }

  made(step, event, data) {
    step.made += 1;
    const fresh = data.text !== undefined;
    const card = fresh ? this.card(step, data.candidate) : this.cards.get(data.candidate);
    if (!card) return;
    for (const cost of step.costs.get(event.place) || []) card.spend(cost);
    step.costs.delete(event.place);
    const own = { ...data, notes: { ...data.notes } };
    if (own.notes.votes) this.tally(step, own.notes.votes);
    delete own.notes.votes;
    delete own.notes.no_answer;
    if (fresh) card.made(own);
    else card.judge(step.box.name, own);
  }

  dropped(step, event, data) {
    this.cards.get(data.candidate)?.is("dropped", "waste");
  }

  lost(step, event, data) {
    gaveUp(step, event.place);
    this.cards.get(`${step.box.name}[${event.place}]`)?.is("lost", "waste");
    this.line(step, `lost ${step.box.name}[${event.place}]: ${data.why}`);
  }

  noted(step, event, { note, ...data }) {
    this.line(step, `${note}: ${told(data)}`);
  }

  unreadable(step, event, data) {
    this.line(step, `a reply could not be read: ${data.why}`);
  }

  retried(step, event, data) {
    if (data.model) gaveUp(step, event.place);
    this.again(step, event);
    this.line(step, `${data.model || data.tool} is asked again: ${data.why}`);
  }

  "fell back"(step, event, data) {
    gaveUp(step, event.place);
    this.again(step, event);
    this.line(step, `${data.instead} is asked instead of ${data.model}: ${data.why}`);
  }

  // What was written so far will be written anew.
  again(step, event) {
    this.cards.get(`${step.box.name}[${event.place}]`)?.clear();
  }

  called(step, event, data) {
    const outcome = data.error ? `failed: ${data.error}` : told(data.result);
    this.line(step, `${data.tool}(${told(data.arguments)}) → ${outcome}`);
  }

  closed(step, event, data) {
    step.requests = [];
    if (data.read < data.opened) this.line(step, `closed early: ${num(data.read)} of ${num(step.box.most)} were read`);
    for (let place = data.read; place < data.opened; place++) {
      const card = this.cards.get(`${step.box.name}[${place}]`);
      card?.is(card.writing ? "cancelled" : "not read", "waste");
    }
  }

  // The section of a step, put where the step stands in the graph.
  part(step) {
    if (step.part) return step.part;
    const root = el("section", undefined, `part k${step.number % 8}`);
    root.tabIndex = -1;
    const head = el("h3");
    const sums = el("span", "", "soft");
    head.append(el("span", "", "dot"), step.box.name, el("span", step.box.kind, "soft"), sums);
    const lines = el("ul", undefined, "lines");
    const tally = el("div");
    const cards = el("div", undefined, "cards");
    root.append(head, tally, lines, cards);
    step.part = { root, sums, lines, tally, cards };
    const after = [...this.steps.values()].find(other => other.number > step.number && other.part);
    this.place.insertBefore(root, after ? after.part.root : null);
    return step.part;
  }

  card(step, key) {
    let card = this.cards.get(key);
    if (!card) {
      card = new Card(key, step.number, to => this.show(to));
      this.cards.set(key, card);
      const all = this.part(step).cards;
      const after = [...all.children].find(other => index(other.dataset.key) > index(key));
      card.root.dataset.key = key;
      all.insertBefore(card.root, after ?? null);
    }
    return card;
  }

  line(step, text) {
    this.part(step).lines.append(el("li", text));
  }

  tally(step, votes) {
    const list = el("dl", undefined, "tally");
    const counted = votes.filter(([, count]) => count > 0);
    const most = Math.max(...counted.map(([, count]) => count));
    for (const [answer, count] of counted) {
      const row = el("div");
      const bar = el("dd", undefined, "meter");
      const fill = el("span");
      fill.style.width = `${(100 * count) / most}%`;
      bar.append(fill);
      row.append(el("dt", answer), bar, el("dd", String(+count.toPrecision(3))));
      list.append(row);
    }
    const others = votes.length - counted.length;
    const rest = others ? [el("p", `${plural(others, "other answer")}: 0`, "soft")] : [];
    const last = step.box.name === this.pipeline.graph.output;
    (last ? this.votes : this.part(step).tally).replaceChildren(list, ...rest);
  }

  tell(step) {
    this.graph.tell(step.box.name, { made: step.made, most: step.box.most, tokens: step.tokens, working: under(step) > 0 });
    if (!step.part) return;
    const parts = [plural(step.made, "candidate")];
    if (step.calls) parts.push(plural(step.calls, "call"), `${num(step.tokens)} tokens`);
    if (step.usd) parts.push(usd(step.usd));
    if (under(step)) parts.push(`${num(under(step))} under way`);
    step.part.sums.textContent = parts.join(" · ");
  }

  // All is over: what was under way is not any more, and what was chosen is marked.
  end(chosen) {
    for (const step of this.steps.values()) {
      step.requests = [];
      this.tell(step);
    }
    for (const card of this.cards.values()) {
      if (card.writing) card.is("cancelled", "waste");
    }
    for (const key of chosen) this.cards.get(key)?.is("result", "chosen");
    this.graph.end(new Set([...this.steps].filter(([, step]) => step.made || step.calls || step.part).map(([name]) => name)));
  }

  // Go to a candidate or to a step.
  show(name) {
    const root = this.cards.get(name)?.root || this.steps.get(name)?.part?.root;
    if (!root) return;
    root.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    root.focus({ preventScroll: true });
  }

  sums(seconds) {
    const shown = [[num(this.calls), "calls"], [num(this.prompt), "prompt tokens"], [num(this.tokens), "completion tokens"], [usd(this.usd), "spent"], [secs(seconds), "in all"]];
    if (this.open) shown.push([num(this.open), "under way"]);
    return shown;
  }
}
