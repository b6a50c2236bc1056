/**
 * What the torture submits, and what must come of it. Every task carries in its payload what its handler will do, so
 * that the end of any task in the store can be judged, whoever was told of it.
 */

import type { AttemptOutcome } from "../../src/words/task.ts";
import type { TorturePayload } from "../fixtures/torture-handlers/_journaled.ts";
import type { Random } from "./random.ts";

/** The body of a `POST /v1/tasks`. */
export interface Submission {
  type: string;
  payload: ScriptPayload;
  max_attempts: number;
  delay?: string;
}

export interface ScriptPayload extends TorturePayload {
  /** As in the submission. */
  delayMs?: number;
  /** Of the `Idempotency-Key`, when there is one. */
  key?: string;
}

/** What `refuse` and `stumble` throw. */
export const messages: Record<string, string> = {
  "torture-refuse": "refused on purpose",
  "torture-stumble": "stumbled on purpose",
};

/** Longer than the visibility timeout, so that the lease has to be prolonged. */
const longMs = 3000;

/** One task of the mix, the `n`th of the load named `load`. */
export function nextSubmission(random: Random, load: string, n: number): Submission {
  const submission = scripted(random, n);
  if (random.chance(0.2)) {
    submission.payload.delayMs = random.between(100, 2500);
    submission.delay = `${submission.payload.delayMs}ms`;
  }
  if (random.chance(0.15)) submission.payload.key = `${load}-${n}`;
  return submission;
}

function scripted(random: Random, n: number): Submission {
  const plain = { n, runMs: 0, failures: 0 };
  // Few attempts make tasks that kills use up; many make tasks that must get through all the same.
  const max_attempts = random.chance(0.2) ? 2 : 20;
  const drawn = random.next();
  if (drawn < 0.4) return { type: "torture-quick", payload: plain, max_attempts };
  if (drawn < 0.75) {
    return { type: "torture-busy", payload: { ...plain, runMs: random.between(50, 500) }, max_attempts };
  }
  if (drawn < 0.78) {
    return { type: "torture-busy", payload: { ...plain, runMs: longMs }, max_attempts: random.between(2, 8) };
  }
  if (drawn < 0.9) {
    return {
      type: "torture-stumble",
      payload: { ...plain, runMs: random.between(0, 50), failures: 2 },
      max_attempts: random.chance(0.1) ? 2 : 20,
    };
  }
  return { type: "torture-refuse", payload: plain, max_attempts };
}

/** How an attempt ends that nobody kills. */
export function scriptedOutcome(type: string, payload: ScriptPayload, attempt: number): AttemptOutcome {
  if (type === "torture-refuse") return "failed";
  return attempt <= payload.failures ? "failed" : "succeeded";
}
