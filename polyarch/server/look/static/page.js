// The page: what is looked at, and the question that is under way.
import { Refused, get, stream } from "./api.js";
import * as key from "./key.js";
import { answer, begin, fail, finish, linked, sums } from "./outcome.js";
import { current, list } from "./past.js";
import { areas, load, pipelines, show } from "./pipelines.js";
import { Run } from "./run.js";
import { $, say } from "./words.js";

const EVERY = 5000;
const FOLLOW = 700;

let shown = null;
let run = null;
let under = null;

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

function see(pipeline) {
  shown = pipeline;
  trouble("");
  return show(pipeline, name => run?.show(name));
}

// A pipeline with nothing asked of it yet.
function choose(name) {
  see(pipelines.get(name));
  run = null;
  $("run").hidden = true;
  current("");
}

// A run of a pipeline, of which nothing has happened yet.
function start(pipeline, question) {
  const graph = see(pipeline);
  begin(question);
  run = new Run($("steps"), $("tally"), pipeline, graph);
  return run;
}

const clock = () => performance.now() / 1000;

async function ask() {
  if (under || !shown) return;
  const pipeline = pipelines.get(shown.name);
  if (!pipeline) return trouble(`The server has no pipeline ${shown.name} any more.`);
  const body = wanted(pipeline);
  const began = clock();
  const mine = start(pipeline, body.messages[0].content);
  const asking = { id: "" };
  under = new AbortController();
  busy(true);
  current("");
  say("The question is asked.");
  const ticking = setInterval(() => sums(mine.sums(clock() - began)), 100);
  try {
    await follow(mine, body, asking);
  } catch (error) {
    if (error.name === "AbortError") fail(mine, "stopped", "", clock() - began);
    else if (error instanceof Refused) fail(mine, "failed", error.message, clock() - began);
    else throw error;
  } finally {
    clearInterval(ticking);
    under = null;
    busy(false);
    if (asking.id) history.replaceState(null, "", `#request/${encodeURIComponent(asking.id)}`);
    await refresh();
    current(asking.id);
  }
}

function wanted(pipeline) {
  const values = areas().map(area => area.value);
  const record = Object.fromEntries(areas().map(area => [area.name, area.value]));
  const seed = $("seed").value;
  return {
    model: pipeline.name,
    messages: [{ role: "user", content: values.join("\n") }],
    n: pipeline.keep,
    stream: true,
    ...(seed === "" ? {} : { seed: Number(seed) }),
    polyarch: { progress: true, parts: true, ...(pipeline.fields.length ? { record } : {}) },
  };
}

async function follow(mine, body, asking) {
  let text = "";
  let closing = null;
  for await (const [kind, data] of stream("/v1/chat/completions", body, under.signal)) {
    if (kind === "id") {
      asking.id = data;
      linked(data);
    } else if (kind === "event") mine.take(data);
    else if (data.error) throw new Refused(0, data.error.message);
    else {
      for (const choice of data.choices) if (choice.index === 0) text += choice.delta.content ?? "";
      answer(text);
      closing ??= data.polyarch;
    }
  }
  if (!closing) throw new Refused(0, "The connection ended before the answer was there.");
  finish(mine, { ...closing, text }, closing.seconds);
}

function busy(is) {
  const focused = document.activeElement;
  $("go").disabled = is;
  $("stop").disabled = !is;
  for (const radio of document.querySelectorAll("#pipelines input")) radio.disabled = is;
  if (is && focused === $("go")) $("stop").focus();
  if (!is && (focused === $("stop") || focused === document.body)) $("go").focus();
}

// A request of the past, or one that is under way elsewhere, which is followed until it ends.
async function look(id) {
  const path = `/look/requests/${encodeURIComponent(id)}`;
  const began = clock();
  let request = await get(path);
  const mine = start(request.graph, request.question);
  linked(id);
  current(id);
  for (let taken = 0; ; ) {
    for (const event of request.events) mine.take(event);
    taken += request.events.length;
    if (request.state !== "running") break;
    sums(mine.sums(clock() - began));
    await new Promise(done => setTimeout(done, FOLLOW));
    request = await get(`${path}?start=${taken}`);
    if (run !== mine) return;
  }
  if (request.result) finish(mine, request.result, request.seconds);
  else fail(mine, request.state === "failed" ? "failed" : "stopped", request.why, request.seconds);
}

async function go() {
  if (under) return;
  const [kind, name] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (kind === "request") {
    try {
      return await look(name);
    } catch (error) {
      if (error.status !== 404) throw error;
      first();
      return trouble("That request is not kept any more.");
    }
  }
  if (kind === "pipeline" && pipelines.has(name)) choose(name);
  else first();
}

function first() {
  if (pipelines.size) choose(pipelines.keys().next().value);
}

async function refresh() {
  if (document.hidden || under || key.asking()) return;
  try {
    if ((await load()) && shown) {
      if (run) for (const radio of document.querySelectorAll("#pipelines input")) radio.checked = radio.value === shown.name;
      else await go();
    }
    await list();
    $("state").textContent = "";
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    $("state").textContent = error.message;
  }
}

const guarded = work => async () => {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    trouble(error.message);
  }
};

key.watch();
$("ask").addEventListener("submit", event => {
  event.preventDefault();
  guarded(ask)();
});
$("stop").addEventListener("click", () => under?.abort());
document.addEventListener("keydown", event => {
  if (event.key === "Escape") under?.abort();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("#ask")) {
    event.preventDefault();
    $("ask").requestSubmit();
  }
});
addEventListener("hashchange", guarded(go));
guarded(async () => {
  await load();
  await list();
  await go();
  setInterval(refresh, EVERY);
})();
