/**
 * Which run the code of a handler's thread belongs to. A run is entered once, and all that it starts belongs to it, timers
 * and promises included, even after it has ended.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Failure } from "../../words/errors.ts";
import type { Run } from "../threads/thread-messages.ts";

export interface RunScope {
  /** Without its payload: what the run leaves behind must not keep that in memory. */
  readonly run: Omit<Run, "payload">;
  isOver: boolean;
  /** The error that no code caught, which is how the run ends. */
  crash: Failure | undefined;
}

export interface RunScopes {
  /** Runs `work` as this run, which is over when `work` settles. */
  enter<T>(run: Run, work: (scope: RunScope) => Promise<T>): Promise<T>;
  /** undefined: the code belongs to no run, or the runtime has lost its async context. */
  current(): RunScope | undefined;
  /** The one run of this type that may have left something behind; undefined when there are several, or none. */
  onlyOf(type: string): RunScope | undefined;
}

/** Ended runs of one type that are remembered. */
const maxEnded = 64;

export function createRunScopes(): RunScopes {
  const storage = new AsyncLocalStorage<RunScope>();
  const running = new Set<RunScope>();
  /** By type. A run that nothing refers to any more, no timer and no promise, is collected and can do nothing. */
  const ended = new Map<string, WeakRef<RunScope>[]>();

  const leave = (scope: RunScope): void => {
    scope.isOver = true;
    running.delete(scope);
    // Its error is known already: the next one of this type is another run's.
    if (scope.crash) return;
    const { type } = scope.run;
    const earlier = ended.get(type) ?? [];
    earlier.push(new WeakRef(scope));
    if (earlier.length > maxEnded) earlier.shift();
    ended.set(type, earlier);
  };

  return {
    enter: async ({ payload: _, ...run }, work) => {
      const scope: RunScope = { run, isOver: false, crash: undefined };
      running.add(scope);
      try {
        return await storage.run(scope, () => work(scope));
      } finally {
        leave(scope);
      }
    },
    current: () => storage.getStore(),
    onlyOf: (type) => {
      const left = (ended.get(type) ?? []).flatMap((scope) => scope.deref() ?? []);
      const [only, ...others] = [...left, ...running].filter(({ run }) => run.type === type);
      return others.length === 0 ? only : undefined;
    },
  };
}
