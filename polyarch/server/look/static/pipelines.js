// The pipelines that are served, and the one that is looked at.
import { get } from "./api.js";
import { Graph } from "./graph.js";
import { $, el } from "./words.js";

export const pipelines = new Map();

// Ask for them; whether they are others than before.
export async function load() {
  const { pipelines: list } = await get("/look/pipelines");
  const same = one => JSON.stringify(pipelines.get(one.name)) === JSON.stringify(one);
  if (list.length === pipelines.size && list.every(same)) return false;
  pipelines.clear();
  for (const one of list) pipelines.set(one.name, one);
  $("pipelines").replaceChildren($("pipelines").querySelector("legend"), ...list.map(option));
  return true;
}

function option(pipeline) {
  const label = el("label");
  const radio = el("input");
  Object.assign(radio, { type: "radio", name: "pipeline", value: pipeline.name });
  radio.addEventListener("change", () => { location.hash = `pipeline/${encodeURIComponent(pipeline.name)}`; });
  label.append(radio, pipeline.name);
  return label;
}

// Show a pipeline, as it is or as it was when a request came; its graph.
export function show(pipeline, pick) {
  $("name").textContent = pipeline.name;
  $("about").textContent = pipeline.about;
  $("facts").textContent = pipeline.facts;
  $("refused").textContent = pipeline.refused ? `Its file was changed and is not served: ${pipeline.refused}` : "";
  $("refused").hidden = !pipeline.refused;
  $("plan").textContent = pipeline.plan;
  document.title = `${pipeline.name} · polyarch`;
  for (const radio of document.querySelectorAll("#pipelines input")) radio.checked = radio.value === pipeline.name;
  fields(pipeline);
  return new Graph($("graph"), pipeline, pick);
}

export const areas = () => [...document.querySelectorAll("#fields textarea")];

// A field for the question, or for each part of a record; what was written stays.
function fields(pipeline) {
  const names = pipeline.fields.length ? pipeline.fields : [""];
  const before = new Map(areas().map(area => [area.name, area.value]));
  if (before.size === names.length && names.every(name => before.has(name))) return;
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
