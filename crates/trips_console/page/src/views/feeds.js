// When data come: by folder, feed and datasource, a year as a calendar, and what is late.

import { h, svg } from "../dom.js";
import { get } from "../api.js";
import { listen } from "../live.js";
import { filters, link } from "../route.js";
import { age, answerPlace, chip, empty, section } from "../widgets.js";
import { debounce } from "../dom.js";
import { addDays } from "../format.js";
import * as format from "../format.js";

const KINDS = [["feed", "Feeds"], ["folder", "Folders"], ["datasource", "Datasources"]];
const CELL = 11;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export const feeds = {
  title: "Feeds",
  note: "What came when. A feed is late when its usual distance has passed.",
  filters: ["region", "datasource", "feed"],
  mount(root) {
    const answer = answerPlace((signal) => get("feeds", question(), signal), show);
    root.append(answer.place);
    let asked;
    const update = (why) => {
      const now = JSON.stringify(question());
      if (now !== asked || why === "status") answer.refresh();
      asked = now;
    };
    const soon = debounce(500, () => answer.refresh());
    const stop = listen((kind, event) => kind === "load" && event.state === "loaded" && soon());
    update();
    return { update, end: stop };
  },
};

function question() {
  const { region, datasource, feed } = filters();
  return { region, datasource, feed };
}

function show(list) {
  if (!list.length) return empty("Nothing has come yet", "Load a file, or let a folder be watched:", "SELECT trips.schedule('/data/inbox', '1 minute');");
  const late = list.filter((feed) => feed.late_days > 0);
  return [
    h("p", { class: "facts-line" }, late.length ? h("strong", null, `${late.length} of ${list.length} late`) : h("strong", null, "Nothing is late")),
    KINDS.map(([kind, title]) => {
      const some = list.filter((feed) => feed.kind === kind);
      return some.length > 0 && section(title, h("div", { class: "feed-cards" }, some.map(card)));
    }),
  ];
}

function card(feed) {
  const byFiles = feed.kind !== "datasource";
  const facts = [
    ["Newest", feed.newest ?? "–"],
    ["Usually", feed.interval_days ? (feed.interval_days === 1 ? "every day" : `every ${format.count(feed.interval_days)} days`) : "–"],
    byFiles && ["Last 7 days", `${format.plural(feed.files_7d ?? 0, "file")}, ${format.plural(feed.rows_7d ?? 0, "row")}`],
    byFiles && feed.last_file && ["Last file", h("a", { href: link("loads", { load: feed.last_load }), title: feed.last_file }, format.path(feed.last_file)[1]), age(feed.last_at)],
  ].filter(Boolean);
  return h("article", { class: "feed-card" },
    h("header", null, h("h3", null, feed.name), feed.late_days > 0 ? chip("failed", `${format.plural(feed.late_days, "day")} late`) : chip("loaded", "in time")),
    h("div", { class: "feed-body" },
      h("dl", { class: "facts-list" }, facts.map(([name, ...values]) => h("div", null, h("dt", null, name), h("dd", null, values.map((value, i) => [i > 0 && ", ", value]))))),
      calendar(feed)));
}

/** A year of days, a column for each week: the stronger, the more trips. */
function calendar(feed) {
  const days = new Map((feed.days ?? []).map((day) => [day.day, day]));
  const last = feed.kind === "datasource" && feed.newest ? feed.newest : new Date().toISOString().slice(0, 10);
  // The week begins on Monday.
  const weekday = (day) => (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
  const first = addDays(last, -52 * 7 - weekday(last));
  const sorted = [...days.values()].map((day) => day.trips).filter(Boolean).sort((a, b) => a - b);
  const level = (trips) => (!trips ? 0 : 1 + [0.25, 0.5, 0.75].filter((share) => trips > sorted[Math.floor(share * (sorted.length - 1))]).length);
  const cells = [];
  const names = [];
  for (let day = first, i = 0; day <= last; day = addDays(day, 1), i += 1) {
    const found = days.get(day);
    const [x, y] = [Math.floor(i / 7) * CELL, (i % 7) * CELL + 14];
    const text = found ? `${day}: ${found.files === null ? "" : `${format.plural(found.files, "file")}, `}${format.plural(found.trips, "trip")}` : `${day}: nothing`;
    cells.push(svg("rect", { x, y, width: CELL - 2, height: CELL - 2, rx: 2, class: found ? `level-${found.trips ? level(found.trips) : 1}` : "level-0" }, svg("title", null, text)));
    if (day.endsWith("-01") && x < 51 * CELL) names.push(svg("text", { x, y: 9 }, MONTHS[Number(day.slice(5, 7)) - 1]));
  }
  const count = (feed.days ?? []).length;
  return h("div", { class: "scroll calendar", tabindex: "0", role: "region", "aria-label": `Calendar of ${feed.name}` },
    svg("svg", { viewBox: `0 0 ${53 * CELL} ${7 * CELL + 14}`, width: 53 * CELL, height: 7 * CELL + 14, role: "img", "aria-label": `${format.plural(count, "day")} with data in the year up to ${last}` }, names, cells));
}
