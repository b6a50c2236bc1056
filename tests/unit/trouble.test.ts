import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { logLevelsOf } from "../../src/settings/parsers.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { createTrouble, type Trouble } from "../../src/telemetry/trouble.ts";

interface Told {
  trouble: Trouble;
  /** Level, message, count and elapsed time of the lines since it was asked last. */
  told(): unknown[];
  pass(ms: number): void;
}

function start(levels = "info", more: { againMs?: number } = {}): Told {
  let nowMs = 1_700_000_000_000;
  let lines: Record<string, unknown>[] = [];
  const log = createLogger({
    service: "worker",
    levels: logLevelsOf(levels),
    writeLine: (line) => lines.push(JSON.parse(line)),
    otlp: undefined,
    context: ROOT_CONTEXT,
  });
  const trouble = createTrouble({ log, nowMs: () => nowMs, msg: "send failed", over: "tasks are sent again", ...more });
  return {
    trouble,
    told: () => {
      const seen = lines;
      lines = [];
      return seen.map(({ level, msg, count, elapsed_ms: elapsed }) => [level, msg, count, elapsed]);
    },
    pass: (ms) => {
      nowMs += ms;
    },
  };
}

test("a trouble is told when it begins, twice a minute while it lasts, and when it is over", () => {
  const { trouble, told, pass } = start();
  for (let second = 0; second < 65; second++) {
    for (let n = 0; n < 10; n++) trouble.met({ error: new Error("away") });
    pass(1000);
  }
  expect(told()).toEqual([
    ["warn", "send failed", 1, undefined],
    ["warn", "send failed", 301, undefined],
    ["warn", "send failed", 601, undefined],
  ]);
  trouble.passed();
  trouble.passed();
  expect(told()).toEqual([["info", "tasks are sent again", 650, 65_000]]);
});

test("one that comes and goes is told no more often, and none of it is forgotten", () => {
  const { trouble, told, pass } = start();
  for (let second = 0; second < 30; second++) {
    trouble.met({});
    trouble.passed();
    pass(1000);
  }
  expect(told()).toEqual([
    ["warn", "send failed", 1, undefined],
    ["info", "tasks are sent again", 1, 0],
  ]);
  trouble.met({});
  expect(told()).toEqual([["warn", "send failed", 30, undefined]]);
});

test("one that is told seldom while it lasts is told no later when it comes back", () => {
  const { trouble, told, pass } = start("info", { againMs: 600_000 });
  for (let second = 0; second < 60; second++) {
    trouble.met({});
    pass(1000);
  }
  trouble.passed();
  trouble.met({});
  expect(told().map((line) => Array.isArray(line) && line.slice(0, 3))).toEqual([
    ["warn", "send failed", 1],
    ["info", "tasks are sent again", 60],
    ["warn", "send failed", 1],
  ]);
});

test("what never was is not over", () => {
  const { trouble, told } = start();
  trouble.passed();
  expect(told()).toEqual([]);
});

test("at the level debug every time is told", () => {
  const { trouble, told } = start("debug");
  for (let n = 0; n < 3; n++) trouble.met({});
  expect(told()).toEqual([
    ["warn", "send failed", 1, undefined],
    ["debug", "send failed", undefined, undefined],
    ["debug", "send failed", undefined, undefined],
  ]);
});
