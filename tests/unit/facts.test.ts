/** One thing with its facts. */

import { expect, test } from "bun:test";
import { jsonText, renderFacts } from "../../src/cli/facts.ts";
import { relativeTime } from "../../src/terminal/relative-time.ts";
import { styles } from "../../src/terminal/style.ts";

const noTerminal = { width: undefined, color: false };

test("values stand in one column, what is not there is left out", () => {
  const facts = [
    ["id", "1"],
    ["error", null],
    ["correlation", "c-1"],
    ["payload", '{\n  "n": 1\n}'],
    ["note", ""],
  ] as const;
  expect(renderFacts(facts, noTerminal)).toEqual([
    "id           1",
    "correlation  c-1",
    "payload      {",
    '               "n": 1',
    "             }",
  ]);
});

test("a long value goes on in its column, on a terminal", () => {
  const facts = [["error", "the card was declined by the bank"]] as const;
  expect(renderFacts(facts, { width: 29, color: false })).toEqual([
    "error  the card was declined",
    "       by the bank",
  ]);
  expect(renderFacts(facts, noTerminal)).toEqual(["error  the card was declined by the bank"]);
});

test("nothing but text reaches the terminal; a style is ours", () => {
  expect(renderFacts([["type", "a\x1b[31mb", styles.red]], { width: undefined, color: true })).toEqual([
    "\x1b[2mtype\x1b[0m  \x1b[31ma[31mb\x1b[0m",
  ]);
});

test("JSON is indented when it is too long for a line", () => {
  expect(jsonText({ a: [1, 2] }, { width: 40, color: false })).toBe('{"a":[1,2]}');
  expect(jsonText({ a: "x".repeat(40) }, { width: 40, color: false })).toContain('\n  "a": ');
  expect(jsonText({ a: "x".repeat(400) }, noTerminal)).not.toContain("\n");
});

const now = Date.parse("2026-11-21T12:00:00.000Z");
const times: [time: string, told: string][] = [
  ["2026-11-21T12:00:00.000Z", "now"],
  ["2026-11-21T11:59:59.001Z", "now"],
  ["2026-11-21T11:59:48.000Z", "12s ago"],
  ["2026-11-21T11:00:00.001Z", "59m ago"],
  ["2026-11-21T09:00:00.000Z", "3h ago"],
  ["2026-11-01T12:00:00.000Z", "20d ago"],
  ["2026-11-21T12:00:30.000Z", "in 30s"],
];
test.each(times)("%s is %s", (time, told) => {
  expect(relativeTime(time, now)).toBe(told);
});
