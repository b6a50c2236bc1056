/** What may happen to tasks, in any order: steps drawn by chance, and the histories in which the store once went wrong. */

import fc from "fast-check";
import type { Ending } from "../../../src/store/ports/attempts.ts";
import type { DeadReason } from "../../../src/words/task.ts";
import { leaseMs } from "../../support/stored-tasks.ts";

/** Something that happens to one of the tasks, or to all of them. */
export type Act =
  /** What comes next for a task in its state when nothing is in the way. */
  | { do: "usual"; to: Ending["to"] }
  /** Delivers the message, so often at once. */
  | { do: "claim"; copies: number }
  /** Whoever runs it is never heard of again: its lease runs out. */
  | { do: "crash" }
  | { do: "extend" | "confirm"; isOutdated: boolean }
  | { do: "finish"; to: Ending["to"]; isOutdated: boolean }
  | { do: "cancel" | "discard" | "sweep" | "resend" }
  | { do: "die"; reason: DeadReason }
  | { do: "redrive"; isForced: boolean; meanwhile: "nothing" | "discard" | "cancel" }
  | { do: "wait"; ms: number };

type Step = [task: number, act: Act];

export interface History {
  tasks: { isScheduled: boolean; maxAttempts: number }[];
  steps: Step[];
}

const isOutdated = fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true));
const to = fc.oneof(
  { weight: 6, arbitrary: fc.constant("failed" as const) },
  { weight: 4, arbitrary: fc.constant("retrying" as const) },
  { weight: 3, arbitrary: fc.constant("queued" as const) },
  { weight: 1, arbitrary: fc.constantFrom("succeeded" as const, "canceled" as const) },
);
const reason = fc.constantFrom<DeadReason[]>("receive_limit", "fatal", "never_finished");
const meanwhile = fc.constantFrom(...(["nothing", "nothing", "nothing", "nothing", "discard", "cancel"] as const));
const is = <Name extends Act["do"]>(name: Name) => fc.constant(name);

/** Weighted so that tasks live long: what ends them for good is rare, and what dies is often brought back. */
const anyAct = fc.oneof(
  { weight: 30, arbitrary: fc.record({ do: is("usual"), to }) },
  { weight: 8, arbitrary: fc.record({ do: is("claim"), copies: fc.constantFrom(1, 1, 2) }) },
  { weight: 6, arbitrary: fc.record({ do: is("finish"), to, isOutdated }) },
  { weight: 5, arbitrary: fc.record({ do: is("wait"), ms: fc.constantFrom(1, 500, leaseMs - 1, leaseMs) }) },
  { weight: 6, arbitrary: fc.record({ do: is("redrive"), isForced: fc.boolean(), meanwhile }) },
  { weight: 4, arbitrary: fc.record({ do: is("die"), reason }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("extend", "confirm", "confirm"), isOutdated }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom("crash", "crash", "sweep", "resend") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("cancel", "cancel", "discard") }) },
) satisfies fc.Arbitrary<Act>;

const anyTask = fc.record({ isScheduled: fc.boolean(), maxAttempts: fc.integer({ min: 1, max: 3 }) });

export const anyHistory: fc.Arbitrary<History> = fc.record({
  tasks: fc.array(anyTask, { minLength: 1, maxLength: 2 }),
  // As long as allowed: left alone, fast-check prefers short ones, in which hardly anything dies.
  steps: fc.array(fc.tuple(fc.nat(1), anyAct), { minLength: 1, maxLength: 60, size: "max" }),
});

const fails: Act = { do: "usual", to: "failed" };

/** Never to be removed: each was a fault of the store. */
export const onceFailed: [what: string, history: History][] = [
  [
    "a second copy of a dead letter comes when its task is back from the dead",
    {
      tasks: [{ isScheduled: false, maxAttempts: 1 }],
      steps: [
        [0, fails],
        [0, fails],
        [0, { do: "die", reason: "fatal" }],
        [0, { do: "redrive", isForced: false, meanwhile: "nothing" }],
        [0, { do: "die", reason: "fatal" }],
        [0, { do: "claim", copies: 1 }],
        [0, { do: "die", reason: "attempts_exhausted" }],
        [0, fails],
        [0, { do: "die", reason: "fatal" }],
      ],
    },
  ],
];
