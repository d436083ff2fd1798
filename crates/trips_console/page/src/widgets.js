// Parts that several views have.

import { h, put } from "./dom.js";
import * as format from "./format.js";
import { latest } from "./api.js";

/** A state of a load: a word and a colour. */
export function chip(state, text = state) {
  return h("span", { class: `chip chip-${state}` }, text);
}

/** The name of a file, with its directory in grey. */
export function file(source) {
  const [directory, name] = format.path(source);
  return h("span", { class: "file", title: source }, directory && h("span", { class: "directory" }, directory), h("span", { class: "name" }, name || NO_SOURCE));
}
const NO_SOURCE = "(no file)";

/** A time as its age; the time itself on hover. */
export function age(time) {
  return time ? h("time", { datetime: time, title: format.time(time) }, format.ago(time)) : "–";
}

/** Says what is not there, and what to do. `code` is a statement to copy. */
export function empty(title, text, code) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), text && h("p", null, text), code && snippet(code));
}

/** A statement with a button that copies it. */
export function snippet(code) {
  const button = h("button", { type: "button", class: "quiet small", on: { click: copy } }, "Copy");
  async function copy() {
    try {
      await navigator.clipboard.writeText(code);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }
  const text = h("code", null, code);
  return h("div", { class: "snippet" }, h("pre", { tabindex: "0", "aria-label": "SQL" }, text), button);
}

/** An error: what, why, what to do. */
export function faultBox(fault, again) {
  return h(
    "div",
    { class: "fault", role: "alert" },
    h("p", { class: "fault-title" }, sentence(fault.message), fault.sqlstate && h("span", { class: "sqlstate" }, `SQLSTATE ${fault.sqlstate}`)),
    fault.detail && h("p", null, fault.detail),
    fault.hint && h("p", { class: "hint" }, fault.hint),
    again && h("button", { type: "button", class: "small", on: { click: again } }, "Try again"),
  );
}

function sentence(text) {
  const message = String(text ?? "an error without a message");
  return message.charAt(0).toUpperCase() + message.slice(1);
}

/**
 * A place that shows the answer of a question. `load(signal, ...)` asks, `show(answer, place)` returns elements. The old answer
 * stays while the next one is on its way.
 */
export function answerPlace(load, show, props = {}, meanwhile = "Loading…") {
  const place = h("div", { ...props, "aria-live": "off" }, h("p", { class: "loading" }, meanwhile));
  const refresh = latest(async (signal, ...values) => {
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await load(signal, ...values);
      if (signal.aborted) return;
      put(place, show(answer, place));
    } catch (fault) {
      if (fault.name === "AbortError" || signal.aborted) throw fault;
      put(place, faultBox(fault, () => refresh(...values)));
      if (!fault.status && !("sqlstate" in fault)) console.error(fault);
    } finally {
      if (!signal.aborted) place.removeAttribute("aria-busy");
    }
  });
  return { place, refresh };
}

/**
 * A table. `columns`: `{ name, number, value(row), class }`; the first is the header of its row. Wide ones scroll in
 * themselves, also by the keyboard.
 */
export function table(caption, columns, rows, rowProps = () => null) {
  const kind = (column) => [column.number && "number", column.class].filter(Boolean).join(" ") || null;
  const head = columns.map((column) => h("th", { scope: "col", class: kind(column) }, column.name));
  const body = rows.map((row, index) =>
    h("tr", rowProps(row, index), columns.map((column, i) =>
      h(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: kind(column), "data-label": column.name }, column.value(row, index)))));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", null, h("caption", { class: "unseen" }, caption), h("thead", null, h("tr", null, head)), h("tbody", null, body)),
  );
}

/** One of several choices: `choices` is `[[value, text], …]`. */
export function choose(label, choices, value, pick) {
  return h(
    "div",
    { class: "choose", role: "group", "aria-label": label },
    choices.map(([each, text]) =>
      h("button", { type: "button", "aria-pressed": String(each === value), "data-key": `${label}-${each}`, on: { click: () => pick(each) } }, text)),
  );
}

/** A field with its label above. */
export function field(label, control, props = {}) {
  return h("label", { ...props, class: `field ${props.class ?? ""}`.trim() }, h("span", null, label), control);
}

/** A part of a view with its heading. */
export function section(title, ...content) {
  return h("section", { class: "part", "aria-label": title }, h("h2", null, title), content);
}
