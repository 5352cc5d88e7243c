// The key of a server that wants one: asked for once, kept as long as the tab is open.
import { forget, keep, known, onKey } from "./api.js";
import { $ } from "./words.js";

function ask(wrong) {
  $("key-wrong").hidden = !wrong;
  $("key-text").value = "";
  $("key").showModal();
  $("key").oncancel = event => event.preventDefault();
  return new Promise(done => {
    $("key-form").onsubmit = () => {
      keep($("key-text").value.trim());
      $("forget").hidden = false;
      done();
    };
  });
}

export function watch() {
  onKey(ask);
  $("forget").hidden = !known();
  $("forget").addEventListener("click", () => {
    forget();
    location.reload();
  });
}

export const asking = () => $("key").open;
