import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../src/format.js";
import { stack } from "../src/stack.js";
import { Camera, project, unproject } from "../src/mercator.js";

test("sizes", () => {
  const expected = [[0, "0 B"], [999, "999 B"], [1000, "1.0 kB"], [999_499, "999 kB"], [999_500, "1.0 MB"], [634_500_000, "635 MB"], [1.26e10, "12.6 GB"], [null, "–"]];
  for (const [bytes, text] of expected) assert.equal(format.bytes(bytes), text);
});

test("durations", () => {
  const expected = [[0.04, "40 ms"], [0.9996, "1.0 s"], [7.82, "7.8 s"], [59.96, "1 min"], [192, "3 min 12 s"], [3599.9, "60 min"], [7500, "2 h 5 min"], [273_600, "3 d 4 h"], [null, "–"], ["x", "–"]];
  for (const [seconds, text] of expected) assert.equal(format.duration(seconds), text);
});

test("ages", () => {
  const now = Date.parse("2026-05-04T12:00:00Z");
  const expected = [["2026-05-04T11:59:57Z", "just now"], ["2026-05-04T11:59:01Z", "59 s ago"], ["2026-05-04T11:00:01Z", "59 min ago"], ["2026-05-03T11:00:00Z", "1 d ago"], ["2026-05-04T14:30:00Z", "in 2 h"], [null, "–"], ["never", "–"]];
  for (const [time, text] of expected) assert.equal(format.ago(time, now), text);
});

test("numbers", () => {
  assert.equal(format.count(1234567), "1,234,567");
  assert.equal(format.count(null), "–");
  assert.equal(format.decimal(1234.56), "1,234.6");
  assert.equal(format.plural(1, "trip"), "1 trip");
  assert.equal(format.plural(2000, "trip"), "2,000 trips");
});

test("files and days", () => {
  assert.deepEqual(format.path("/data/in/may.csv"), ["/data/in/", "may.csv"]);
  assert.deepEqual(format.path("may.csv"), ["", "may.csv"]);
  assert.deepEqual(format.path(null), ["", ""]);
  assert.equal(format.addDays("2024-02-28", 2), "2024-03-01");
  assert.equal(format.addDays("2026-01-01", -1), "2025-12-31");
  assert.equal(format.firstLine("a\nb"), "a");
});

test("stacks keep gaps", () => {
  assert.deepEqual(stack([[1, null, 2], [3, null, null]]), [[1, null, 2], [4, null, 2]]);
});

test("the map's projection is its own inverse", () => {
  for (const place of [[14.44, 50.08], [-180, 0], [179.9, -84]]) {
    unproject(project(place)).forEach((degrees, i) => assert.ok(Math.abs(degrees - place[i]) < 1e-9));
  }
  const camera = Object.assign(new Camera(), { width: 600, height: 400 });
  camera.fit([14.2, 50, 14.6, 50.2]);
  const before = camera.toPlace([100, 100]);
  camera.zoomAt([100, 100], 1.5);
  camera.toPlace([100, 100]).forEach((degrees, i) => assert.ok(Math.abs(degrees - before[i]) < 1e-9));
});
