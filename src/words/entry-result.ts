/** What became of one entry of a call that carries many: each has its own fate. */

import { type TaskError, toTaskError } from "./errors.ts";

export type EntryResult<Value> = { kind: "done"; value: Value } | { kind: "failed"; error: TaskError };

/** Does the work of all entries at once. Never rejects: what is thrown for one entry fails that entry alone. */
export function settleEach<Entry, Value>(
  entries: readonly Entry[],
  work: (entry: Entry) => Promise<Value>,
): Promise<EntryResult<Value>[]> {
  return Promise.all(
    entries.map(async (entry): Promise<EntryResult<Value>> => {
      try {
        return { kind: "done", value: await work(entry) };
      } catch (error) {
        return { kind: "failed", error: toTaskError(error) };
      }
    }),
  );
}

/** The value of a call's only entry; throws the entry's error. */
export function onlyValue<Value>([result]: readonly EntryResult<Value>[]): Value {
  if (!result) throw new Error("the call has no result for its entry");
  if (result.kind === "failed") throw result.error;
  return result.value;
}
