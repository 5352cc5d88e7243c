// The graph of a pipeline, drawn as the server arranged it, and how far each step is.
const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes, ...inside) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

// As much of its size as a graph keeps before it is scrolled.
const SMALLEST = 0.8;

const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

export class Graph {
  // `pick` is told the name of a step that somebody chooses.
  constructor(place, pipeline, pick) {
    const graph = pipeline.graph;
    const { width, height } = graph;
    this.boxes = new Map();
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `The graph of ${pipeline.name}` });
    for (const line of graph.lines) {
      svg.append(make("path", { class: line.waits ? "edge waits" : "edge", d: line.path }));
      if (line.tip) {
        const [x, y] = line.tip;
        svg.append(make("path", { class: "tip", d: `M${x - 7},${y - 4} L${x},${y} L${x - 7},${y + 4} Z` }));
      }
    }
    const { wide, high } = graph;
    for (const end of graph.ends) {
      svg.append(make("g", { class: "end", transform: `translate(${end.x},${end.y})` },
        make("rect", { width: wide, height: high, rx: 25 }),
        make("text", { x: wide / 2, y: 30 }, end.text)));
    }
    graph.boxes.forEach((box, number) => svg.append(this.box(box, number, wide, high, pick)));
    svg.style.minWidth = `${width * SMALLEST}px`;
    place.replaceChildren(svg);
  }

  box(box, number, wide, high, pick) {
    const count = make("text", { class: "count", x: 14, y: 44 }, cut(box.caption, 28));
    const group = make("g", { class: `step k${number % 8}`, transform: `translate(${box.x},${box.y})`, tabindex: 0, role: "button", "aria-label": `${box.name}, ${box.kind}, ${box.caption}` },
      make("title", {}, `${box.name}: ${box.about}`),
      make("rect", { class: "plate", width: wide, height: high, rx: 6 }),
      make("rect", { class: "bar", width: 5, height: high, rx: 2 }),
      make("text", { class: "title", x: 14, y: 17 }, cut(box.name, 23)),
      make("text", { class: "kind", x: 14, y: 31 }, cut(box.kind, 23)),
      count);
    group.addEventListener("click", () => pick(box.name));
    group.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        pick(box.name);
      }
    });
    this.boxes.set(box.name, { group, count, box });
    return group;
  }

  // What a step has made and spent so far.
  tell(name, { made, most, tokens, working }) {
    const known = this.boxes.get(name);
    if (!known) return;
    const of = made === most ? `${made}` : `${made} of ${most}`;
    const text = tokens ? `${of} · ${tokens.toLocaleString("en")} tokens` : `${of} candidate${most === 1 ? "" : "s"}`;
    known.count.textContent = text;
    known.group.classList.toggle("works", working);
    known.group.setAttribute("aria-label", `${name}, ${known.box.kind}, ${text}`);
  }

  // Steps that had nothing to do are told apart once all is over.
  end(used) {
    for (const [name, { group }] of this.boxes) {
      group.classList.remove("works");
      group.classList.toggle("unused", !used.has(name));
    }
  }
}
