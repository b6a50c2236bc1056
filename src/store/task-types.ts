/**
 * The task types that workers have registered, as one role knows them. Asked again only when a type is not known yet;
 * while no worker ever has registered, every type is taken.
 */

import { TaskError } from "../errors.ts";
import type { TaskType } from "../task.ts";
import { housekeeping } from "../telemetry/tracing.ts";
import type { Store } from "./store.ts";

export interface TaskTypes {
  /** The registered type; undefined while none is registered. Throws `invalid_argument` for one that nobody runs. */
  find(type: string): Promise<TaskType | undefined>;
  /** Asks for the types, if there are any that are not known. */
  refresh(): Promise<void>;
  /** The type as a metric's label: `_other` for one that is not known, so that the series are bounded. */
  labelOf(type: string): string;
}

export function createTaskTypes(store: Store): TaskTypes {
  let known = new Map<string, TaskType>();
  let reading: Promise<void> | undefined;

  const refresh = (): Promise<void> => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };

  const read = async (): Promise<void> => {
    const types = await store.listTypes(housekeeping);
    known = new Map(types.map((type) => [type.type, type]));
  };

  return {
    async find(type) {
      const found = known.get(type);
      if (found) return found;
      await refresh();
      if (known.size === 0 || known.has(type)) return known.get(type);
      const names = [...known.keys()].map((name) => `"${name}"`).join(", ");
      const detail = `no worker runs tasks of type "${type}"; known types are ${names}`;
      throw new TaskError("invalid_argument", detail);
    },
    refresh,
    labelOf: (type) => (known.has(type) ? type : "_other"),
  };
}
