// Where the page is: `#trips?region=Turin&since=2026-01-01`. All filters are there, so that a reload, the button "back" and a
// sent link keep them.

export const GLOBAL = ["since", "until", "region", "datasource", "feed"];
const listeners = new Set();

function parse(hash) {
  const [view, search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { view: view || "now", params: Object.fromEntries(new URLSearchParams(search)) };
}

let current = parse(location.hash);

export function route() {
  return current;
}

/** The values of the filters that all views share. */
export function filters() {
  return Object.fromEntries(GLOBAL.filter((name) => current.params[name]).map((name) => [name, current.params[name]]));
}

export function address(view, params) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#${view}${text ? `?${text}` : ""}`;
}

/** The address of a view with the filters of today's. */
export function link(view, params = {}) {
  return address(view, { ...filters(), ...params });
}

/** Changes values of this view: a new entry of the history, or the same one. */
export function change(params, replace = false) {
  const hash = address(current.view, { ...current.params, ...params });
  if (hash === address(current.view, current.params)) return;
  history[replace ? "replaceState" : "pushState"](null, "", hash);
  moved();
}

/** Goes to a view in place of one that is not there. */
export function redirect(view) {
  history.replaceState(null, "", link(view));
  moved();
}

export function onMove(listener) {
  listeners.add(listener);
}

function moved() {
  const before = current;
  current = parse(location.hash);
  for (const listener of listeners) listener(current, before);
}

addEventListener("popstate", moved);
addEventListener("hashchange", () => {
  // popstate has come before, where the browser sends both.
  if (address(current.view, current.params) !== address(...Object.values(parse(location.hash)))) moved();
});
