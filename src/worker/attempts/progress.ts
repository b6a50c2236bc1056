/**
 * Tells the store how far attempts say that they are: of each the newest share, of all together, once a second at most.
 * An attempt that says nothing costs nothing. What was not told in time goes with the attempt's outcome.
 */

import type { Clock } from "../../limits/clock.ts";
import type { AttemptStore, Lease } from "../../store/ports/attempts.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import { housekeeping } from "../../telemetry/spans/tracing.ts";
import { createTrouble } from "../../telemetry/trouble.ts";
import { toTaskError } from "../../words/errors.ts";

const tellEveryMs = 1000;

export interface ProgressTeller {
  /** `share`: from 0 to 1. */
  say(lease: Lease, share: number): void;
  /** The attempt is over: nothing more of it is told. Gives what it has said last; undefined: nothing. */
  end(lease: Lease): number | undefined;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

export interface ProgressDeps {
  store: Pick<AttemptStore, "noteProgress">;
  clock: Clock;
  log: Logger;
}

export function createProgressTeller({ store, clock, log }: ProgressDeps): ProgressTeller {
  const said = new Map<Lease, number>();
  const untold = new Set<Lease>();
  const stopping = new AbortController();
  let telling: Promise<void> | undefined;
  const trouble = createTrouble({
    log,
    nowMs: () => clock.monotonicMs(),
    msg: "could not note the progress of tasks",
    over: "the progress of tasks is noted again",
  });

  const tellAll = async (): Promise<void> => {
    while (untold.size > 0 && !stopping.signal.aborted) {
      const told = [...untold].map((lease) => ({ id: lease.id, claim: lease.claim, share: said.get(lease) ?? 0 }));
      untold.clear();
      try {
        await store.noteProgress(told, housekeeping);
        trouble.passed();
      } catch (error) {
        // What comes next makes up for it.
        trouble.met({ error: toTaskError(error) });
      }
      await clock.sleep(tellEveryMs, stopping.signal);
    }
    telling = undefined;
  };

  return {
    say: (lease, share) => {
      said.set(lease, share);
      untold.add(lease);
      telling ??= tellAll();
    },
    end: (lease) => {
      const share = said.get(lease);
      said.delete(lease);
      untold.delete(lease);
      return share;
    },
    stop: async () => {
      stopping.abort();
      await telling;
    },
  };
}
