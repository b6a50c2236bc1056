/** The port of task types, which workers register; and what a role knows of them. */

import type { Context } from "@opentelemetry/api";
import { type Clock, systemClock } from "../../limits/clock.ts";
import { housekeeping } from "../../telemetry/spans/tracing.ts";
import { TaskError } from "../../words/errors.ts";
import type { TaskType } from "../../words/task.ts";

export interface TypeStore {
  registerTypes(types: readonly TaskType[], context: Context): Promise<void>;
  /** What workers have registered, by name; empty while none ever has. */
  listTypes(context: Context): Promise<TaskType[]>;
}

/**
 * The registered task types as one role knows them. Read again at once when a type is not known yet, and in the background
 * when the known ones are old: a worker with newer handlers may have registered. While no worker ever has registered,
 * every type is accepted.
 */
export interface TaskTypes {
  /** The registered type; undefined while none is registered. Throws `invalid_argument` for one that no worker runs. */
  find(type: string): Promise<TaskType | undefined>;
  /** Reads the types from the store. */
  refresh(): Promise<void>;
  /** The type as it was registered at most a second ago; as it was known when the store is away. */
  findNewest(type: string): Promise<TaskType | undefined>;
  /** The type as a metric's label: `_other` for one that is not known, so that the series are bounded. */
  labelOf(type: string): string;
}

const oldMs = 30_000;
const newMs = 1000;

export function createTaskTypes(store: Pick<TypeStore, "listTypes">, clock: Clock = systemClock): TaskTypes {
  let known = new Map<string, TaskType>();
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  const refresh = (): Promise<void> => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };

  const read = async (): Promise<void> => {
    askedAtMs = clock.monotonicMs();
    const types = await store.listTypes(housekeeping);
    known = new Map(types.map((type) => [type.type, type]));
  };

  /** When the store is away, the known types stay. */
  const freshen = async (afterMs: number): Promise<void> => {
    if (clock.monotonicMs() - askedAtMs > afterMs) await refresh().catch(() => {});
  };

  return {
    async find(type) {
      const found = known.get(type);
      if (found) {
        void freshen(oldMs);
        return found;
      }
      await refresh();
      if (known.size === 0 || known.has(type)) return known.get(type);
      const names = [...known.keys()].map((name) => `"${name}"`).join(", ");
      const detail = `no worker runs tasks of type "${type}"; known types are ${names}`;
      throw new TaskError("invalid_argument", detail);
    },
    refresh,
    findNewest: async (type) => {
      await freshen(newMs);
      return known.get(type);
    },
    labelOf: (type) => (known.has(type) ? type : "_other"),
  };
}
