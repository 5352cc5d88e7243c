// The page: which pipeline or request is looked at, and the question that is under way.
import { Refused, forget, get, keep, known, onKey, send, stream } from "./api.js";
import { Graph } from "./graph.js";
import { Run } from "./run.js";
import { button, el, plural, secs, usd } from "./words.js";

const $ = id => document.getElementById(id);
const EVERY = 5000;
const FOLLOW = 700;

const pipelines = new Map();
let shown = null;
let run = null;
let under = null;
let urls = [];

const say = text => { $("told").textContent = text; };

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

// The pipeline.

function show(pipeline) {
  shown = pipeline;
  $("name").textContent = pipeline.name;
  $("about").textContent = pipeline.about;
  $("facts").textContent = pipeline.facts;
  $("plan").textContent = pipeline.plan;
  document.title = `${pipeline.name} · polyarch`;
  for (const radio of document.querySelectorAll("#pipelines input")) radio.checked = radio.value === pipeline.name;
  fields(pipeline);
  return new Graph($("graph"), pipeline, name => run?.show(name));
}

function fields(pipeline) {
  const names = pipeline.fields.length ? pipeline.fields : [""];
  const before = new Map([...document.querySelectorAll("#fields textarea")].map(area => [area.name, area.value]));
  $("fields").replaceChildren(...names.map((name, place) => {
    const id = place ? `question-${place}` : "question";
    const label = el("label", name || "Question");
    label.htmlFor = id;
    const area = el("textarea");
    Object.assign(area, { id, name, required: true, rows: 3, spellcheck: false, value: before.get(name) || "" });
    const field = el("div", undefined, "field");
    field.append(label, area);
    return field;
  }));
}

function choose(name) {
  const pipeline = pipelines.get(name);
  if (!pipeline || under) return;
  show(pipeline);
  close();
}

function close() {
  run = null;
  $("run").hidden = true;
  trouble("");
  current("");
}

function option(pipeline) {
  const label = el("label");
  const radio = el("input");
  Object.assign(radio, { type: "radio", name: "pipeline", value: pipeline.name });
  radio.addEventListener("change", () => { location.hash = `pipeline/${encodeURIComponent(pipeline.name)}`; });
  label.append(radio, pipeline.name);
  return label;
}

// The outcome, live or of a past request.

function begin(pipeline, question) {
  const graph = show(pipeline);
  trouble("");
  $("run").hidden = false;
  $("links").hidden = true;
  $("asked").textContent = question;
  answer("");
  $("why").hidden = true;
  run = new Run($("steps"), $("tally"), pipeline, graph);
  return run;
}

function badge(text, kind) {
  $("badge").textContent = text;
  $("badge").className = `badge ${kind}`;
}

function answer(text) {
  $("answer").textContent = text;
  $("answer").classList.toggle("long", text.length > 120);
}

function sums(rows) {
  $("sums").replaceChildren(...rows.map(([value, name]) => {
    const pair = el("div");
    pair.append(el("dt", name), el("dd", value));
    return pair;
  }));
}

function why(lines) {
  $("why").textContent = lines.join("\n");
  $("why").hidden = !lines.length;
}

function finish(result, seconds) {
  run.end(result.candidates.map(one => one.key));
  badge("done", "done");
  answer(result.answer ?? (result.text || "no answer"));
  why([...(result.stopped ? [`stopped early: ${result.stopped}`] : []), ...result.lost.map(one => `lost ${one.step}[${one.place}]: ${one.why}`)]);
  sums(run.sums(seconds));
  say(`Answer: ${(result.answer ?? result.text).slice(0, 300) || "none"}. ${plural(run.calls, "call")}, ${secs(seconds)}.`);
}

function fail(kind, text, seconds) {
  run.end([]);
  badge(kind, kind === "failed" ? "failed" : "");
  why(text ? [text] : []);
  sums(run.sums(seconds));
  say(text || `The question was ${kind}.`);
}

// A question under way.

async function ask() {
  if (under || !shown) return;
  const areas = [...document.querySelectorAll("#fields textarea")];
  const text = areas.map(area => area.value).join("\n");
  const seed = $("seed").value;
  const body = {
    model: shown.name,
    messages: [{ role: "user", content: text }],
    stream: true,
    ...(seed === "" ? {} : { seed: Number(seed) }),
    polyarch: { progress: true, ...(shown.fields.length ? { record: Object.fromEntries(areas.map(area => [area.name, area.value])) } : {}) },
  };
  const pipeline = pipelines.get(shown.name);
  if (!pipeline) return trouble(`The server has no pipeline ${shown.name} any more.`);
  const asking = { id: "" };
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const stop = new AbortController();
  under = stop;
  begin(pipeline, text);
  current("");
  badge("running", "running");
  busy(true);
  say("The question is asked.");
  const clock = setInterval(() => sums(run.sums(seconds())), 100);
  try {
    await follow(body, stop.signal, asking);
  } catch (error) {
    if (error.name === "AbortError") fail("stopped", "", seconds());
    else if (error instanceof Refused) fail("failed", error.message, seconds());
    else throw error;
  } finally {
    clearInterval(clock);
    under = null;
    busy(false);
    await refresh();
    current(asking.id);
  }
}

async function follow(body, signal, asking) {
  let text = "";
  let closing = null;
  for await (const [kind, data] of stream("/v1/chat/completions", body, signal)) {
    if (kind === "event") run.take(data);
    else if (data.error) throw new Refused(0, data.error.message);
    else {
      if (!asking.id) linked(data.id);
      asking.id = data.id;
      text += data.choices[0]?.delta.content ?? "";
      answer(text);
      closing ??= data.polyarch;
    }
  }
  if (!closing) throw new Refused(0, "The connection ended before the answer was there.");
  finish({ ...closing, text }, closing.seconds);
}

function busy(is) {
  $("go").disabled = is;
  $("stop").disabled = !is;
  for (const radio of document.querySelectorAll("#pipelines input")) radio.disabled = is;
  if (!is && document.activeElement === document.body) $("go").focus();
}

// Past requests.

async function requests() {
  const { requests: list } = await get("/look/requests");
  const here = $("requests").querySelector("[aria-current=true]")?.dataset.id;
  const focused = document.activeElement?.dataset?.id;
  $("no-requests").hidden = list.length > 0;
  $("requests").replaceChildren(...list.map(entry));
  current(here);
  if (focused) $("requests").querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function entry(request) {
  const item = el("li");
  const open = button("", "", () => { location.hash = `request/${encodeURIComponent(request.id)}`; });
  open.dataset.id = request.id;
  const when = new Date(request.began * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const over = request.state !== "running";
  const cost = [...(over ? [plural(request.calls, "call")] : []), ...(request.usd ? [usd(request.usd)] : []), ...(over ? [secs(request.seconds)] : [])];
  const first = el("span", undefined, "line");
  first.append(outcome(request), el("span", when, "small"));
  const second = el("span", undefined, "line");
  second.append(el("span", request.pipeline, "small"), el("span", cost.join(" · "), "small"));
  open.append(el("span", request.question, "what"), first, second);
  item.append(open);
  return item;
}

function outcome(request) {
  if (request.state === "ended") return el("span", `→ ${request.answer ?? "no answer"}`, "small strong");
  if (request.state === "failed") return el("span", request.why, "small bad");
  return el("span", request.state === "running" ? "running" : "stopped", "small");
}

function current(id) {
  for (const open of document.querySelectorAll("#requests button")) {
    if (id && open.dataset.id === id) open.setAttribute("aria-current", "true");
    else open.removeAttribute("aria-current");
  }
}

// A request of the past, or one that is under way elsewhere, which is followed until it ends.
async function look(id) {
  if (under) return;
  const path = `/look/requests/${encodeURIComponent(id)}`;
  let request = await get(`${path}?start=0`);
  const mine = begin(request.graph, request.question);
  linked(id);
  current(id);
  for (let taken = 0; ;) {
    for (const event of request.events) mine.take(event);
    taken += request.events.length;
    if (request.state !== "running") break;
    badge("running", "running");
    sums(mine.sums(performance.now() / 1000 - (mine.began ??= performance.now() / 1000)));
    await new Promise(done => setTimeout(done, FOLLOW));
    request = await get(`${path}?start=${taken}`);
    if (run !== mine) return;
  }
  if (request.result) finish(request.result, request.seconds);
  else fail(request.state === "failed" ? "failed" : "stopped", request.why, request.seconds);
}

// Both are fetched when they are wanted, since a link cannot carry a key.
function linked(id) {
  const path = `/look/requests/${encodeURIComponent(id)}`;
  $("links").hidden = false;
  $("timeline").onclick = event => fetched(event, $("timeline"), `${path}/trace.html`);
  $("file").onclick = event => fetched(event, $("file"), `${path}/trace.jsonl`);
  $("file").download = `${id}.jsonl`;
  for (const link of [$("timeline"), $("file")]) link.href = "#";
  urls.forEach(url => URL.revokeObjectURL(url));
  urls = [];
}

async function fetched(event, link, path) {
  if (link.href.startsWith("blob:")) return;
  event.preventDefault();
  const content = await (await send(path)).blob();
  link.href = URL.createObjectURL(content);
  urls.push(link.href);
  link.click();
}

// Keys, ways to get about, and the start.

function wantKey(wrong) {
  $("key-wrong").hidden = !wrong;
  $("key-text").value = "";
  $("key").showModal();
  return new Promise(done => {
    $("key-form").onsubmit = () => {
      keep($("key-text").value.trim());
      $("forget").hidden = false;
      done();
    };
    $("key").oncancel = event => event.preventDefault();
  });
}

async function go() {
  const [kind, name] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (kind === "request") await look(name);
  else if (kind === "pipeline" && pipelines.has(name)) choose(name);
  else if (pipelines.size) choose(pipelines.keys().next().value);
}

const guarded = work => async (...given) => {
  try {
    await work(...given);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    trouble(error.message);
  }
};

async function load() {
  const { pipelines: list } = await get("/look/pipelines");
  const changed = list.length !== pipelines.size || list.some(one => pipelines.get(one.name)?.digest !== one.digest);
  if (!changed) return;
  pipelines.clear();
  for (const one of list) pipelines.set(one.name, one);
  $("pipelines").replaceChildren($("pipelines").querySelector("legend"), ...list.map(option));
  if (shown) for (const radio of document.querySelectorAll("#pipelines input")) radio.checked = radio.value === shown.name;
}

async function refresh() {
  if (document.hidden || under || $("key").open) return;
  try {
    await load();
    await requests();
    $("state").textContent = "";
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    $("state").textContent = error.message;
  }
}

onKey(wantKey);
$("forget").hidden = !known();
$("forget").addEventListener("click", () => { forget(); location.reload(); });
$("ask").addEventListener("submit", event => { event.preventDefault(); guarded(ask)(); });
$("stop").addEventListener("click", () => under?.abort());
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && under) under.abort();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("#ask")) {
    event.preventDefault();
    $("ask").requestSubmit();
  }
});
addEventListener("hashchange", guarded(go));
guarded(async () => {
  await load();
  await requests();
  await go();
  setInterval(refresh, EVERY);
})();
