/**
 * The store: a task's truth. The queue only says "look at this one now"; what a task is, who may run it and how it ended
 * is decided by the store's conditional updates. SQLite and DynamoDB implement it; both pass the suite in
 * tests/conformance, so that a call means the same on each.
 *
 * The store is the sum of narrow ports, one for each noun. A role names the ports that it uses, never the whole.
 *
 * Each call takes the context under which its span is made; a call without a context has no span. All reject with
 * `TaskError`: `unavailable` when the store cannot be reached or takes nothing now, `internal` when it cannot keep a value.
 * Calls that take several entries, each with a context and a span of its own, do not reject: each entry has such an error,
 * or its value.
 */

import type { Connections } from "../../http/health.ts";
import type { AttemptStore } from "./attempts.ts";
import type { DeadLetterStore } from "./dead-letters.ts";
import type { RedriveStore } from "./redrives.ts";
import type { ScheduleStore } from "./schedules.ts";
import type { SendStore } from "./sends.ts";
import type { TaskStore } from "./tasks.ts";
import type { TypeStore } from "./types.ts";

export interface StoreHealth {
  /** Connections to the database that are in use, as far as this role uses them. */
  connections(): Connections;
  /** Resolves when the store answers. */
  ping(): Promise<void>;
}

export interface Store
  extends TaskStore,
    AttemptStore,
    SendStore,
    DeadLetterStore,
    RedriveStore,
    ScheduleStore,
    TypeStore,
    StoreHealth {}
