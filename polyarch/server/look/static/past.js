// The list of requests: those of the past, and those under way elsewhere.
import { get } from "./api.js";
import { $, button, el, plural, secs, usd } from "./words.js";

let before = "";

// Ask for the list, and show it if it is another than before.
export async function list() {
  const { requests } = await get("/look/requests");
  const now = JSON.stringify(requests);
  if (now === before) return;
  before = now;
  const here = $("requests").querySelector("[aria-current=true]")?.dataset.id;
  const focused = document.activeElement?.dataset?.id;
  $("no-requests").hidden = requests.length > 0;
  $("requests").replaceChildren(...requests.map(entry));
  current(here);
  if (focused) $("requests").querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

// Mark the request that is looked at.
export function current(id) {
  for (const open of document.querySelectorAll("#requests button")) {
    if (id && open.dataset.id === id) open.setAttribute("aria-current", "true");
    else open.removeAttribute("aria-current");
  }
}

function entry(request) {
  const open = button("", "", () => { location.hash = `request/${encodeURIComponent(request.id)}`; });
  open.dataset.id = request.id;
  const when = new Date(request.began * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  open.append(
    el("span", request.question, "what"),
    line(outcome(request), el("span", when, "small")),
    line(el("span", request.pipeline, "small"), el("span", cost(request), "small")),
  );
  const item = el("li");
  item.append(open);
  return item;
}

function line(...parts) {
  const made = el("span", undefined, "line");
  made.append(...parts);
  return made;
}

function cost(request) {
  if (request.state === "running") return "";
  return [plural(request.calls, "call"), ...(request.usd ? [usd(request.usd)] : []), secs(request.seconds)].join(" · ");
}

function outcome(request) {
  if (request.state === "ended") return el("span", `→ ${request.answer ?? "no answer"}`, "small strong");
  if (request.state === "failed") return el("span", request.why, "small bad");
  return el("span", request.state === "running" ? "running" : "stopped", "small");
}
