// What the console pushes: progress, events of loads, whether it reaches the database.

import { get } from "./api.js";

const KEEP = 200;
// Milliseconds between two attempts.
const RETRY = [500, 1000, 2000, 4000];

/** `state`: connecting, open, lost or out (the token is another). */
export const live = { state: "connecting", connected: true, fault: null, now: null, events: [] };
const listeners = new Set();
let source;
// Number of the last event that was seen.
let last = null;
let timer;
let attempts = 0;

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
  // A new EventSource does not send Last-Event-ID, so the address says it.
  source = new EventSource(last === null ? "api/events" : `api/events?after=${last}`);
  source.addEventListener("open", () => {
    attempts = 0;
    become("open");
  });
  source.addEventListener("now", (event) => {
    live.now = JSON.parse(event.data);
    // Before the first event, the number says where events begin: with 0 in a new database.
    if (event.lastEventId !== "") last ??= Number(event.lastEventId);
    tell("now");
  });
  source.addEventListener("load", (event) => takeEvent(JSON.parse(event.data)));
  // The database was restored: its numbers begin earlier, and its events are others.
  source.addEventListener("begin", (event) => {
    last = Number(event.lastEventId);
    live.events = [];
    tell("begin");
  });
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
  if (last !== null && event.seq <= last) return;
  last = event.seq;
  live.events.unshift(event);
  live.events.length = Math.min(live.events.length, KEEP);
  tell("load", event);
}

// The page connects again by itself: browsers give up after some kinds of errors, and each in another way.
async function failed() {
  source.close();
  clearTimeout(timer);
  timer = setTimeout(connect, RETRY[Math.min(attempts, RETRY.length - 1)]);
  attempts += 1;
  let state = "lost";
  try {
    await get("status");
  } catch (fault) {
    if (fault.status === 401) state = "out";
  }
  if (source.readyState === EventSource.CLOSED) become(state);
}

// A machine that slept has lost its lines without a word.
addEventListener("online", connect);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && live.state !== "open") connect();
});
