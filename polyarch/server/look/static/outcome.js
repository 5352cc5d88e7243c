// What came of a question: state, answer, sums, and links to the whole trace.
import { send } from "./api.js";
import { $, el, plural, say, secs } from "./words.js";

let urls = [];

export function begin(question) {
  $("run").hidden = false;
  $("links").hidden = true;
  $("asked").textContent = question;
  answer("");
  why([]);
  badge("running", "running");
}

export function answer(text) {
  $("answer").textContent = text;
  $("answer").classList.toggle("long", text.length > 120);
}

export function sums(rows) {
  $("sums").replaceChildren(...rows.map(([value, name]) => {
    const pair = el("div");
    pair.append(el("dt", name), el("dd", value));
    return pair;
  }));
}

export function finish(run, result, seconds) {
  run.end(result.candidates.map(one => one.key));
  badge("done", "done");
  answer(result.answer ?? (result.text || "no answer"));
  const lost = result.lost.map(one => `lost ${one.step}[${one.place}]: ${one.why}`);
  why([...(result.stopped ? [`stopped early: ${result.stopped}`] : []), ...lost]);
  sums(run.sums(seconds));
  say(`Answer: ${(result.answer ?? result.text).slice(0, 300) || "none"}. ${plural(run.calls, "call")}, ${secs(seconds)}.`);
}

export function fail(run, state, text, seconds) {
  run.end([]);
  badge(state, state);
  why(text ? [text] : []);
  sums(run.sums(seconds));
  say(text || `The question was ${state}.`);
}

// The page and the file of a trace are fetched when they are wanted, since a link cannot carry a key.
export function linked(id) {
  const path = `/look/requests/${encodeURIComponent(id)}`;
  urls.forEach(url => URL.revokeObjectURL(url));
  urls = [];
  $("links").hidden = false;
  $("file").download = `${id}.jsonl`;
  for (const [link, file] of [[$("timeline"), "trace.html"], [$("file"), "trace.jsonl"]]) {
    link.href = "#";
    link.onclick = event => fetched(event, link, `${path}/${file}`);
  }
}

async function fetched(event, link, path) {
  if (link.href.startsWith("blob:")) return;
  event.preventDefault();
  const content = await (await send(path)).blob();
  link.href = URL.createObjectURL(content);
  urls.push(link.href);
  link.click();
}

function badge(text, kind) {
  $("badge").textContent = text;
  $("badge").className = `badge ${kind}`;
}

function why(lines) {
  $("why").textContent = lines.join("\n");
  $("why").hidden = !lines.length;
}
