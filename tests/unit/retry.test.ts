import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { backoffMs, decide, type Outcome, type RetryPolicy, type Verdict } from "../../src/words/retry.ts";

const policy: RetryPolicy = { maxAttempts: 3, baseMs: 1000, capMs: 1500 };
const error = { type: "SmtpRefused", message: "421 try later" };

const succeeded: Outcome = { kind: "succeeded", result: '{"id":1}' };
const failed: Outcome = { kind: "failed", error, fatal: false };
const fatal: Outcome = { kind: "failed", error, fatal: true };
const timedOut: Outcome = { kind: "timed_out", error };
const crashed: Outcome = { kind: "crashed", error };
const interrupted: Outcome = { kind: "interrupted", error, isSuspect: false };
const suspect: Outcome = { kind: "interrupted", error, isSuspect: true };
const leaseLost: Outcome = { kind: "lease_lost", error };
const canceled: Outcome = { kind: "canceled", error };

const again = (delayMs: number): Verdict => ({ kind: "retry", delayMs, error });
const exhausted: Verdict = { kind: "bury", reason: "attempts_exhausted", error };

describe("an attempt that", () => {
  const cases: [what: string, outcome: Outcome, attempt: number, verdict: Verdict][] = [
    ["succeeds ends the task with its result", succeeded, 1, { kind: "succeed", result: '{"id":1}' }],
    ["succeeds at last ends the task with its result", succeeded, 3, { kind: "succeed", result: '{"id":1}' }],
    ["fails is tried again after the base's half", failed, 1, again(500)],
    ["fails a second time waits longer, but never above the cap", failed, 2, again(750)],
    ["fails for the last time is buried", failed, 3, exhausted],
    ["fails beyond the last time is buried", failed, 4, exhausted],
    ["asks for a delay gets that one", { ...failed, retryAfterMs: 90_000 }, 1, again(90_000)],
    ["asks for no delay at all gets none", { ...failed, retryAfterMs: 0 }, 2, again(0)],
    ["asks for a delay in its last try is buried", { ...failed, retryAfterMs: 10 }, 3, exhausted],
    ["fails for good is buried at once", fatal, 1, { kind: "bury", reason: "fatal", error }],
    ["fails for good in its last try is buried as fatal", fatal, 3, { kind: "bury", reason: "fatal", error }],
    ["fails for good is buried whatever delay it asks", { ...fatal, retryAfterMs: 10 }, 1, fatalVerdict()],
    ["takes too long is tried again", timedOut, 1, again(500)],
    ["takes too long for the last time is buried", timedOut, 3, exhausted],
    ["crashes its thread is tried again", crashed, 1, again(500)],
    ["crashes its thread for the last time is buried", crashed, 3, exhausted],
    ["is interrupted goes back", interrupted, 1, { kind: "return", error, runsAlone: false }],
    ["is interrupted in its last try goes back", interrupted, 3, { kind: "return", error, runsAlone: false }],
    ["may have caused a crash goes back, to run alone", suspect, 3, { kind: "return", error, runsAlone: true }],
    ["lost its lease is dropped", leaseLost, 1, { kind: "drop" }],
    ["lost its lease in its last try is dropped", leaseLost, 3, { kind: "drop" }],
    ["was canceled ends the task", canceled, 1, { kind: "cancel", error }],
    ["was canceled in its last try ends the task, and is not buried", canceled, 3, { kind: "cancel", error }],
  ];

  test.each(cases)("%s", (_, outcome, attempt, verdict) => {
    expect(decide(outcome, attempt, policy, () => 0.5)).toEqual(verdict);
  });

  function fatalVerdict(): Verdict {
    return { kind: "bury", reason: "fatal", error };
  }
});

describe("the back-off", () => {
  const anyPolicy = fc.record({
    maxAttempts: fc.integer({ min: 1, max: 100 }),
    baseMs: fc.integer({ min: 1, max: 3_600_000 }),
    capMs: fc.integer({ min: 1, max: 86_400_000 }),
  });
  const anyAttempt = fc.integer({ min: 1, max: 5000 });
  const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  test("is a whole number from 0 to the doubled base or the cap, for every attempt", () => {
    fc.assert(
      fc.property(anyPolicy, anyAttempt, anyRandom, (anyone, attempt, random) => {
        const delayMs = backoffMs(attempt, anyone, () => random);
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(anyone.capMs);
        expect(delayMs).toBeLessThanOrEqual(anyone.baseMs * 2 ** (attempt - 1));
      }),
    );
  });

  test("never shrinks from one attempt to the next when the dice fall alike", () => {
    fc.assert(
      fc.property(anyPolicy, anyAttempt, anyRandom, (anyone, attempt, random) => {
        const dice = (): number => random;
        expect(backoffMs(attempt + 1, anyone, dice)).toBeGreaterThanOrEqual(backoffMs(attempt, anyone, dice));
      }),
    );
  });

  test("is spread over the whole range by the dice", () => {
    const wide: RetryPolicy = { maxAttempts: 9, baseMs: 100, capMs: 100_000 };
    expect([0, 0.25, 0.5, 0.999].map((random) => backoffMs(4, wide, () => random))).toEqual([0, 200, 400, 799]);
  });
});
