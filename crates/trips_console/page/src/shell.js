// The frame around the views: tabs, filters, banner, what the console is connected to.

import { h, put, setText } from "./dom.js";
import { currentTheme, nextTheme } from "./theme.js";
import { link, route } from "./route.js";
import { faultBox } from "./widgets.js";
import { filterBar } from "./filterbar.js";
import { icon } from "./icons.js";
import { live } from "./live.js";

export function makeShell(views) {
  const main = h("main", { id: "content", tabindex: "-1" });
  const title = h("h1", { tabindex: "-1" });
  const note = h("p", { class: "view-note" });
  const banner = h("div", { class: "banner-place", role: "status" });
  const announcer = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
  const { bar, toggle, show } = filterBar();
  const tabs = Object.entries(views).map(([name, view]) => {
    const badge = h("span", { class: "badge", hidden: true });
    const anchor = h("a", { href: link(name), "data-view": name }, icon(name), h("span", { class: "tab-name" }, view.title), badge);
    return { name, anchor, badge };
  });
  const state = h("p", { class: "connection", role: "status" });
  const theme = themeButton();
  const skip = h("a", { class: "skip", href: "#content", on: { click: (event) => { event.preventDefault(); title.focus(); } } }, "Skip to the content");
  const brand = h("p", { class: "brand" }, h("img", { src: "icon.svg", alt: "", width: "24", height: "24" }), h("span", null, "Trips"));
  const nav = h("nav", { "aria-label": "Views" }, h("ul", null, tabs.map((tab) => h("li", null, tab.anchor))));
  document.body.replaceChildren(
    skip,
    h("div", { class: "frame" },
      h("header", { class: "side" }, brand, nav, h("div", { class: "side-end" }, state, theme)),
      h("div", { class: "page" }, banner, h("div", { class: "top" }, h("div", { class: "titles" }, title, note), toggle, bar), main)),
    announcer,
  );
  return { main, title, note, banner, announcer, tabs, show, state };
}

function themeButton() {
  const words = { auto: "system", light: "light", dark: "dark" };
  const text = h("span", null, `Theme: ${words[currentTheme()]}`);
  const turn = () => {
    nextTheme();
    setText(text, `Theme: ${words[currentTheme()]}`);
  };
  return h("button", { type: "button", class: "quiet theme", on: { click: turn } }, icon("theme"), text);
}

/** Marks the tab of the view, and gives all tabs the filters of today. */
export function markTab(shell) {
  for (const { name, anchor } of shell.tabs) {
    anchor.href = link(name);
    if (name === route().view) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
}

export function setBadge(shell, name, text, meaning) {
  const { badge } = shell.tabs.find((tab) => tab.name === name);
  badge.hidden = !text;
  setText(badge, text || "");
  badge.setAttribute("aria-label", meaning);
  badge.title = meaning;
}

const WHAT_TO_DO = {
  lost: { message: "the console does not answer", hint: "Start it again (trips_console, make console). This page reconnects by itself and then shows what it missed." },
  out: { message: "the console has another token", hint: "It was started anew: open the link that it printed." },
};

/** Says above the view when the console or the database is away. */
export function showConnection(shell, status) {
  const away = WHAT_TO_DO[live.state];
  const fault = away ?? (live.connected ? null : (live.fault ?? { message: "the console has no connection with the database", hint: "It tries again by itself." }));
  const key = fault ? JSON.stringify([fault.message, fault.hint]) : "";
  if (shell.banner.dataset.key !== key) {
    shell.banner.dataset.key = key;
    put(shell.banner, fault && faultBox(fault));
  }
  document.documentElement.classList.toggle("away", Boolean(fault));
  const words = { connecting: "Connecting…", lost: "Console away", out: "Not signed in", open: live.connected ? "Live" : "Database away" };
  shell.state.dataset.state = live.state === "open" && !live.connected ? "lost" : live.state;
  const where = status?.database ? (status.host?.startsWith("/") ? `${status.database}, local socket` : `${status.database} on ${status.host ?? "?"}`) : "";
  if (shell.state.dataset.text !== words[live.state] + where) {
    shell.state.dataset.text = words[live.state] + where;
    put(shell.state, h("strong", null, words[live.state]), where && h("span", { class: "where", title: about(status) }, where));
  }
}

function about(status) {
  return `${status.host} port ${status.port}, PostgreSQL ${status.server_version}, trips_pipeline ${status.extension_version}, console ${status.console_version}, role ${status.role}`;
}
