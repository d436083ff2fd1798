// What the console pushes: progress, events of loads, whether it reaches the database.

import { get } from "./api.js";

const KEEP = 200;
const RETRY = 2000;

/** `state`: connecting, open, lost or out (the token is another). */
export const live = { state: "connecting", connected: true, fault: null, now: null, events: [] };
const listeners = new Set();
let source;
let last = 0;
let timer;

/** Calls the listener with the kind of each change; returns what ends that. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(kind, data) {
  for (const listener of listeners) listener(kind, data);
}

function become(state) {
  if (live.state === state) return;
  const before = live.state;
  live.state = state;
  tell("state", before);
}

export function connect() {
  clearTimeout(timer);
  source?.close();
  // A new EventSource cannot send Last-Event-ID, so the address says it, too.
  source = new EventSource(`api/events?after=${last}`);
  source.addEventListener("open", () => become("open"));
  source.addEventListener("now", (event) => {
    live.now = JSON.parse(event.data);
    tell("now");
  });
  source.addEventListener("load", (event) => takeEvent(JSON.parse(event.data)));
  source.addEventListener("connection", (event) => {
    const { connected, fault } = JSON.parse(event.data);
    const returned = connected && !live.connected;
    Object.assign(live, { connected, fault });
    tell("connection", returned);
  });
  source.addEventListener("error", failed);
}

function takeEvent(event) {
  // A replay may send again what came just before the line broke.
  if (event.seq <= last) return;
  last = event.seq;
  live.events.unshift(event);
  live.events.length = Math.min(live.events.length, KEEP);
  tell("load", event);
}

async function failed() {
  become(live.state === "out" ? "out" : "lost");
  if (source.readyState !== EventSource.CLOSED) return;
  clearTimeout(timer);
  timer = setTimeout(connect, RETRY);
  try {
    await get("status");
  } catch (fault) {
    become(fault.status === 401 ? "out" : "lost");
  }
}

// A machine that slept has lost its lines without a word.
addEventListener("online", connect);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && live.state !== "open") connect();
});
