// What goes over the wire: requests with the key, if there is one, and streams of events.
const KEY = "polyarch-key";
const read = () => sessionStorage.getItem(KEY) || "";

export const keep = key => sessionStorage.setItem(KEY, key);
export const forget = () => sessionStorage.removeItem(KEY);
export const known = () => read() !== "";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let wanted = null;
let ask = async () => {};

// `asking(wrong)` is called when a key is wanted; the one before was wrong, or there was none.
export function onKey(asking) {
  ask = asking;
}

export async function send(path, options = {}) {
  for (;;) {
    const key = read();
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    let answer;
    try {
      answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, "The server does not answer. Is it still running?");
    }
    if (answer.status !== 401) {
      if (answer.ok) return answer;
      throw new Refused(answer.status, await reason(answer));
    }
    if (read() === key) {
      wanted ??= ask(key !== "").finally(() => { wanted = null; });
      await wanted;
    }
  }
}

async function reason(answer) {
  try {
    return (await answer.json()).error.message;
  } catch {
    return `The server answers ${answer.status} ${answer.statusText}.`;
  }
}

export const get = async path => (await send(path)).json();

// What a stream of the endpoint holds: the request's id, as ["id", …]; comments tell the events of the run, as ["event", …]; data
// are chunks of the reply, as ["chunk", …].
export async function* stream(path, body, signal) {
  const answer = await send(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });
  yield ["id", answer.headers.get("X-Request-Id")];
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, "The connection to the server was lost.");
    }
    if (part.done) return;
    const blocks = (text + part.value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith(": {")) yield ["event", JSON.parse(block.slice(2))];
      else if (block.startsWith("data: {")) yield ["chunk", JSON.parse(block.slice(6))];
    }
  }
}
