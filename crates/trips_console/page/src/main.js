// Starts the page: the frame, the view of the address, the live line.

import "./styles/console.css";
import { get } from "./api.js";
import { connect, listen, live } from "./live.js";
import { onMove, redirect, route } from "./route.js";
import { makeShell, markTab, setBadge, showConnection } from "./shell.js";
import { setText } from "./dom.js";
import * as format from "./format.js";
import { now } from "./views/now.js";
import { loads } from "./views/loads.js";
import { health } from "./views/health.js";
import { trips } from "./views/trips.js";
import { map } from "./views/map.js";
import { when } from "./views/when.js";
import { staging } from "./views/staging.js";
import { feeds } from "./views/feeds.js";

const views = { now, loads, health, trips, map, when, staging, feeds };
const shell = makeShell(views);
const page = { status: null, view: null, name: null };

/** Shows the view of the address, or tells the one that is shown what has changed. */
function showRoute() {
  const name = views[route().view] ? route().view : "now";
  if (name !== route().view) {
    redirect(name);
    return;
  }
  markTab(shell);
  shell.show(views[name], page.status);
  if (page.name === name) {
    page.view.update?.();
    return;
  }
  const first = page.name === null;
  page.view?.end?.();
  shell.main.replaceChildren();
  setText(shell.title, views[name].title);
  setText(shell.note, views[name].note);
  document.title = `${views[name].title} – Trips console`;
  shell.main.className = `view view-${name}`;
  page.name = name;
  page.view = views[name].mount(shell.main, { status: () => page.status, announce });
  if (!first) {
    scrollTo(0, 0);
    shell.title.focus({ preventScroll: true });
  }
}

function announce(text) {
  setText(shell.announcer, text);
}

async function askStatus() {
  try {
    page.status = await get("status");
    if (page.status.connected === false) Object.assign(live, { connected: false, fault: page.status.fault });
  } catch (fault) {
    if (fault.status === 401) live.state = "out";
  }
  showConnection(shell, page.status);
  if (!page.view) return;
  shell.show(views[page.name], page.status);
  // After a break, what a view could not ask is asked again.
  page.view.update?.("status");
}

function heard(kind, data) {
  if (kind === "state" || kind === "connection") {
    showConnection(shell, page.status);
    const returned = kind === "connection" ? data : data === "lost" && live.state === "open";
    if (returned) askStatus();
  }
  if (kind === "now") {
    const running = live.now.loads.length;
    setBadge(shell, "now", running ? String(running) : "", format.plural(running, "running load"));
  }
  if (kind === "load") tellEnd(data);
}

function tellEnd(event) {
  const words = { loaded: "is loaded", failed: "failed", skipped: "was skipped", retracted: "was retracted" };
  if (words[event.state]) announce(`Load ${event.load_id} ${words[event.state]}`);
}

onMove(showRoute);
listen(heard);
// The views say what the status allows: it comes first. Without an answer, they say that.
await askStatus();
showRoute();
connect();
