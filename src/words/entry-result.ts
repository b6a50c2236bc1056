/** What became of one entry of a call that carries many: each has its own fate. */

import type { TaskError } from "./errors.ts";

export type EntryResult<Value> = { kind: "done"; value: Value } | { kind: "failed"; error: TaskError };
