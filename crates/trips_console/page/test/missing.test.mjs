import assert from "node:assert/strict";
import { test } from "node:test";
import { askAgain } from "../src/views/missing.js";

const INCOMPLETE = [{ missing: [["2024-01-01", "2024-01-31"]], older: [] }, { missing: [], older: [["2024-01-01", "2024-01-31"]] }];

/** Runs with timers that wait for `pass`, which returns the time of the only one that is set; undefined if there is none. */
function withTimers(work) {
  const real = { setTimeout, clearTimeout };
  const timers = new Map();
  let last = 0;
  globalThis.setTimeout = (call, time) => {
    last += 1;
    timers.set(last, { call, time });
    return last;
  };
  globalThis.clearTimeout = (timer) => timers.delete(timer);
  const pass = () => {
    assert.ok(timers.size <= 1);
    const [entry] = timers;
    if (!entry) return undefined;
    timers.delete(entry[0]);
    entry[1].call();
    return entry[1].time;
  };
  try {
    work(pass);
  } finally {
    Object.assign(globalThis, real);
  }
}

test("counts are asked for again, first soon, then more rarely", () => withTimers((pass) => {
  for (const found of INCOMPLETE) {
    let asked = 0;
    const again = askAgain(() => { asked += 1; });
    for (const time of [300, 700, 1500, 1500]) {
      again.after(found);
      assert.equal(pass(), time);
    }
    assert.equal(asked, 4);
    again.after(found);
    again.after({ missing: [], older: [] });
    assert.equal(pass(), undefined);
    again.after(found);
    assert.equal(pass(), 300);
  }
}));

test("two answers, one of a call that was ended, make one question", () => withTimers((pass) => {
  const again = askAgain(() => {});
  again.after(INCOMPLETE[0]);
  again.after(INCOMPLETE[1]);
  assert.ok(pass());
  assert.equal(pass(), undefined);
}));

test("a view that has ended asks no more, also when an answer comes late", () => withTimers((pass) => {
  const again = askAgain(() => {});
  again.after(INCOMPLETE[0]);
  again.stop();
  assert.equal(pass(), undefined);
  again.after(INCOMPLETE[0]);
  again.end();
  again.after(INCOMPLETE[0]);
  assert.equal(pass(), undefined);
}));
