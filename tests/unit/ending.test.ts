import { describe, expect, test } from "bun:test";
import type { Ending } from "../../src/store/ports/attempts.ts";
import type { Outcome, Verdict } from "../../src/words/retry.ts";
import { toEnding } from "../../src/worker/attempts/ending.ts";

const nowMs = 1_700_000_000_000;
const error = { type: "SmtpRefused", message: "421 try later" };
const thrown = { ...error, stack: "SmtpRefused: 421 try later\n    at send" };
const minuteMs = 60_000;

const failed: Outcome = { kind: "failed", error: thrown, fatal: false };
const canceled: Outcome = { kind: "canceled", error: thrown };
const interrupted: Outcome = { kind: "interrupted", error: thrown, isSuspect: true };

describe("what is written of an attempt, the stack never, when the verdict is", () => {
  const cases: [what: string, outcome: Outcome, verdict: Exclude<Verdict, { kind: "drop" }>, ending: Ending][] = [
    ["success", { kind: "succeeded", result: "1" }, { kind: "succeed", result: "1" }, { to: "succeeded", result: "1" }],
    [
      "a retry that the queue can keep: the sweeper looks half a minute after it",
      failed,
      { kind: "retry", delayMs: 15 * minuteMs, error: thrown },
      {
        to: "retrying",
        runAtMs: nowMs + 15 * minuteMs,
        sendAtMs: nowMs + 15.5 * minuteMs,
        outcome: "failed",
        error,
      },
    ],
    [
      "a retry that is too far off for the queue: the sweeper sends it",
      failed,
      { kind: "retry", delayMs: 15 * minuteMs + 1, error: thrown },
      {
        to: "retrying",
        runAtMs: nowMs + 15 * minuteMs + 1,
        sendAtMs: nowMs + 15 * minuteMs + 1,
        outcome: "failed",
        error,
      },
    ],
    [
      "the end",
      failed,
      { kind: "bury", reason: "fatal", error: thrown },
      { to: "failed", reason: "fatal", outcome: "failed", error },
    ],
    [
      "to give back",
      interrupted,
      { kind: "return", error: thrown, runsAlone: true },
      { to: "queued", error, runsAlone: true },
    ],
    ["a cancel", canceled, { kind: "cancel", error: thrown }, { to: "canceled", outcome: "canceled", error }],
  ];

  test.each(cases)("%s", (_, outcome, verdict, ending) => {
    expect(toEnding(verdict, outcome, nowMs)).toEqual(ending);
  });
});
