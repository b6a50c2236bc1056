/** What an attempt's verdict writes into the store. Pure. */

import { maxDelayMs } from "../../queue/queue.ts";
import type { Ending } from "../../store/ports/attempts.ts";
import { toKeptFailure } from "../../words/errors.ts";
import type { Outcome, Verdict } from "../../words/retry.ts";

/** The message should be back by then; when it is not, the sweeper sends the task. */
const sweepMarginMs = 30_000;

export function toEnding(verdict: Exclude<Verdict, { kind: "drop" }>, outcome: Outcome, nowMs: number): Ending {
  switch (verdict.kind) {
    case "succeed":
      return { to: "succeeded", result: verdict.result };
    case "retry": {
      const runAtMs = nowMs + verdict.delayMs;
      const sendAtMs = verdict.delayMs > maxDelayMs ? runAtMs : runAtMs + sweepMarginMs;
      return { to: "retrying", runAtMs, sendAtMs, outcome: outcome.kind, error: toKeptFailure(verdict.error) };
    }
    case "bury":
      return { to: "failed", reason: verdict.reason, outcome: outcome.kind, error: toKeptFailure(verdict.error) };
    case "return":
      return { to: "queued", error: toKeptFailure(verdict.error), runsAlone: verdict.runsAlone };
    case "cancel":
      return { to: "canceled", outcome: outcome.kind, error: toKeptFailure(verdict.error) };
  }
}
