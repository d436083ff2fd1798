// One load: its counts, its error, its first bad lines and what would mend them.

import { h, put } from "../dom.js";
import { get } from "../api.js";
import { change, link } from "../route.js";
import { answerPlace, chip, file, snippet, table } from "../widgets.js";
import * as format from "../format.js";
import { actionButton } from "./now.js";

export function loadDetail(page, changed) {
  const place = h("aside", { class: "detail", hidden: true, "aria-label": "The load" });
  let shown = "";
  const answer = answerPlace((signal, id) => get(`loads/${encodeURIComponent(id)}`, {}, signal), (load) => whole(load, page, changed));
  const close = h("button", { type: "button", class: "quiet small close", on: { click: shut } }, "Close");
  const heading = h("h2", { tabindex: "-1" });
  place.append(h("div", { class: "detail-head" }, heading, close), answer.place);
  place.addEventListener("keydown", (event) => event.key === "Escape" && shut());
  function shut() {
    const id = shown;
    change({ load: "" });
    document.querySelector(`[data-key="load-${CSS.escape(id)}"]`)?.focus();
  }
  function show(id = "", again = false) {
    place.hidden = !id;
    if (id && (id !== shown || again)) {
      const moved = id !== shown;
      heading.textContent = `Load ${id}`;
      answer.refresh(id);
      if (moved) requestAnimationFrame(() => heading.focus({ preventScroll: false }));
    }
    shown = id;
  }
  return { place, show };
}

function whole(load, page, changed) {
  return [
    h("p", { class: "detail-file" }, chip(load.state), file(load.source)),
    errorOf(load),
    counts(load),
    facts(load),
    membersOf(load),
    explainTable(load.explain),
    stagedOf(load),
    actionsOf(load, page, changed),
  ];
}

function errorOf(load) {
  if (!load.error && !load.message) return null;
  const where = [load.member, load.line && `line ${format.count(load.line)}`, load.column && `column ${load.column}`].filter(Boolean).join(", ");
  return h("div", { class: "fault load-error" },
    h("p", { class: "fault-title" }, load.message ?? format.firstLine(load.error), load.sqlstate && h("span", { class: "sqlstate" }, `SQLSTATE ${load.sqlstate}`)),
    where && h("p", null, where),
    load.detail && h("p", null, load.detail),
    load.hint && h("p", { class: "hint" }, load.hint),
    // Without the right to read the whole error: what the ledger has beyond the message.
    !load.message && h("p", { class: "hint" }, load.error.split("\n").slice(1).join(" ")));
}

function counts(load) {
  const parts = [["inserted", load.rows_inserted], ["duplicate", load.rows_duplicate], ["corrected", load.rows_corrected], ["staged", load.rows_staged]].filter(([, rows]) => rows);
  if (!load.rows_read) return null;
  const bar = h("div", { class: "split", "aria-hidden": "true" }, parts.map(([name, rows]) => h("span", { class: `split-${name}`, style: { "flex-grow": String(rows / load.rows_read) } })));
  return h("div", { class: "counts" }, bar, h("dl", null,
    [["read", load.rows_read], ...parts].map(([name, rows]) => h("div", { class: `count-${name}` }, h("dt", null, name), h("dd", null, format.count(rows))))));
}

function facts(load) {
  const same = load.same_as && h("a", { href: link("loads", { load: load.same_as }) }, `load ${load.same_as}`);
  const rows = [
    ["Same bytes as", same],
    ["Feed", load.feed],
    ["Size", load.bytes ? format.bytes(load.bytes) : null],
    ["Time", load.seconds !== null ? `${format.duration(load.seconds)}${load.rows_per_second ? `, ${format.count(load.rows_per_second)} rows/s` : ""}` : null],
    ["Requested by", load.requested_by],
    ["Requested", load.requested_at && format.time(load.requested_at)],
    ["Started", load.started_at && format.time(load.started_at)],
    ["Ended", load.ended_at && format.time(load.ended_at)],
    ["Days of its trips", load.first_day && (load.first_day === load.last_day ? load.first_day : `${load.first_day} to ${load.last_day}`)],
    ["File changed", load.file_changed_at && format.time(load.file_changed_at)],
    ["Retracted by", load.retracted_by],
    ["Deleted trips", load.rows_deleted ? format.count(load.rows_deleted) : null],
  ];
  return h("dl", { class: "facts-list" }, rows.filter(([, value]) => value).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

function membersOf(load) {
  if (!load.members?.length) return null;
  const columns = [
    { name: "Member", value: (row) => row.member },
    ...["read", "inserted", "duplicate", "staged"].map((name) => ({ name: name[0].toUpperCase() + name.slice(1), number: true, value: (row) => format.count(row[`rows_${name}`]) })),
  ];
  return [h("h3", null, "Members of the archive"), table("Members of the archive", columns, load.members)];
}

/** What trips.explain_staged says: reasons, examples, the call that mends them. */
export function explainTable(explain) {
  if (!explain?.length) return null;
  return [h("h3", null, "Why rows wait"), h("ul", { class: "explain" }, explain.map((group) =>
    h("li", null,
      h("p", null, h("strong", null, format.plural(group.records, "row")), group.column_name && [" in ", h("code", null, group.column_name)], `: ${group.reason}`, h("span", { class: "sqlstate" }, group.error_code)),
      group.proposal && h("p", { class: "hint" }, group.proposal),
      group.retry && snippet(group.retry))))];
}

function stagedOf(load) {
  if (load.staged === null && load.rows_staged) {
    return h("p", { class: "nothing" }, "This role may not read the staged lines: trips.grant_loader() allows it.");
  }
  if (!load.staged?.length) return null;
  return [h("h3", null, "First bad lines"), badLines(load.staged)];
}

/** Rejected records: where, why, and the record itself. */
export function badLines(rows) {
  return h("ol", { class: "bad-lines" }, rows.map((row) =>
    h("li", null,
      h("p", null, h("span", { class: "line-no" }, [row.load_id !== null && row.load_id !== undefined && `load ${row.load_id}`, row.member, row.line_no !== null && row.line_no !== undefined && `line ${format.count(row.line_no)}`].filter(Boolean).join(", ")), row.column_name && h("code", null, row.column_name), h("span", null, row.reason ?? "")),
      h("pre", { tabindex: "0", "aria-label": "The record" }, row.raw_line ?? row.value ?? ""))));
}

function actionsOf(load, page, changed) {
  const calls = {
    retry: load.state === "failed" && ["Load it again", `Load ${load.source} again?`, `SELECT * FROM trips.ingest(${quoted(load.source)});`],
    merge: load.rows_staged > 0 && ["Merge staged rows", "Check the staged rows again and insert the valid ones?", `SELECT * FROM trips.merge_staged(${load.load_id});`],
    retract: load.state === "loaded" && ["Retract", `Take ${format.plural(load.rows_inserted, "trip")} of load ${load.load_id} back?`, `SELECT * FROM trips.retract(${load.load_id});`],
  };
  const given = Object.entries(calls).filter(([, call]) => call);
  if (!given.length) return null;
  const place = h("div", { class: "actions" }, h("h3", null, "What you can do"));
  if (page.status()?.actions) {
    place.append(h("div", { class: "action-row" }, given.map(([action, [text, question]]) => actionButton(text, question, action, { load_id: load.load_id }, () => changed()))));
  } else {
    put(place, h("h3", null, "What you can do in SQL"), given.map(([, [, , sql]]) => snippet(sql)));
  }
  return place;
}

function quoted(text) {
  const doubled = String(text).replaceAll("'", "''");
  return doubled.includes("\\") ? `E'${doubled.replaceAll("\\", "\\\\")}'` : `'${doubled}'`;
}
