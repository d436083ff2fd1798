// The filters that views share: period, region, datasource, feed. They live in the address.

import { add, debounce, h, put } from "./dom.js";
import { get } from "./api.js";
import { addDays, count } from "./format.js";
import { change, route } from "./route.js";
import { field } from "./widgets.js";
import { icon } from "./icons.js";

const PERIODS = [["28", "Last 4 weeks"], ["91", "Last 3 months"], ["365", "Last year"], ["own", "Between two days"]];

/** The bar; `show(view, status)` says which filters a view has. */
export function filterBar() {
  const bar = h("form", { class: "filters", "aria-label": "Filters", on: { submit: (event) => event.preventDefault() } });
  const toggle = h("button", { type: "button", class: "quiet filter-toggle", "aria-expanded": "false", "aria-controls": "filters", on: { click: open } }, icon("filter"), h("span", null, "Filters"));
  bar.id = "filters";
  function open() {
    const is = document.documentElement.classList.toggle("filters-open");
    toggle.setAttribute("aria-expanded", String(is));
  }
  function show({ filters: names, monthly }, status) {
    toggle.hidden = bar.hidden = names.length === 0;
    const active = names.flatMap((name) => (name === "period" ? ["since", "until"] : [name])).filter((name) => route().params[name]);
    toggle.lastChild.textContent = active.length ? `Filters (${active.length})` : "Filters";
    const makers = { period: () => period(status, monthly), region: regionField, datasource: () => chosen("datasource", status?.datasources), feed: () => chosen("feed", status?.feeds) };
    put(bar, names.map((name) => makers[name]()), active.length > 0 && clearButton(active));
  }
  return { bar, toggle, show };
}

function clearButton(names) {
  const clear = () => change(Object.fromEntries(names.map((name) => [name, ""])));
  return h("button", { type: "button", class: "quiet clear", "data-key": "clear", on: { click: clear } }, "Clear filters");
}

// Without days, a view shows all time, or the newest month where more must be counted first.
function period(status, monthly) {
  const { since, until } = route().params;
  const last = status?.until;
  const days = PERIODS.find(([value]) => Number(value) && since && !until && last && addDays(last, 1 - Number(value)) === since);
  const isAll = monthly && since && since === status?.since && !until;
  const now = isAll ? "all" : days ? days[0] : since || until ? "own" : "";
  const choices = [...(monthly ? [["", "Newest month"]] : []), [monthly ? "all" : "", "All time"], ...PERIODS];
  const pick = (event) => {
    const value = event.target.value;
    if (value === "all") change({ since: status?.since ?? "", until: "" });
    else if (Number(value) && last) change({ since: addDays(last, 1 - Number(value)), until: "" });
    else if (value === "own") change({ since: since || status?.since || "", until: until || last || "" });
    else change({ since: "", until: "" });
  };
  const select = h("select", { "data-key": "period", on: { change: pick } }, choices.map(([value, text]) => h("option", { value, selected: value === now }, text)));
  const day = (name, label) => {
    const input = h("input", { type: "date", "data-key": name, value: route().params[name] ?? "", min: status?.since, max: status?.until, on: { change: () => change({ [name]: input.value }) } });
    return field(label, input);
  };
  return [field("Period", select), now === "own" && day("since", "From"), now === "own" && day("until", "To")];
}

// Not the text of an option, but its number: a name may be empty or anything.
function chosen(name, names = []) {
  const now = route().params[name] ?? "";
  const all = !now || names.includes(now) ? names : [now, ...names];
  const pick = (event) => change({ [name]: event.target.value });
  const options = [h("option", { value: "" }, "All"), ...all.map((each) => h("option", { value: each, selected: each === now }, each))];
  return field(name === "feed" ? "Feed" : "Datasource", h("select", { "data-key": name, on: { change: pick } }, options));
}

function regionField() {
  const list = h("datalist", { id: "regions" });
  const input = h("input", { type: "search", list: "regions", "data-key": "region", autocomplete: "off", placeholder: "All", value: route().params.region ?? "" });
  const offer = debounce(150, async () => {
    try {
      const found = await get("regions", { prefix: input.value, limit: 20 });
      list.replaceChildren();
      add(list, found.map((each) => h("option", { value: each.region }, count(each.trips))));
    } catch {
      // Without proposals, one can still type.
    }
  });
  input.addEventListener("input", offer);
  input.addEventListener("focus", offer, { once: true });
  input.addEventListener("change", () => change({ region: input.value.trim() }));
  return [field("Region", input), list];
}
