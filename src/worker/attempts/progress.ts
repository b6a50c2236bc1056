/**
 * Reports to the store how far attempts say that they are: of each the newest share, of all together, once a second at
 * most. An attempt that says nothing costs nothing. What was not reported in time goes with the attempt's outcome.
 */

import type { Clock } from "../../limits/clock.ts";
import type { AttemptStore, Lease } from "../../store/ports/attempts.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import { housekeeping } from "../../telemetry/spans/tracing.ts";
import { createTrouble, type Trouble } from "../../telemetry/trouble.ts";
import { toTaskError } from "../../words/errors.ts";

const reportEveryMs = 1000;

interface Progressing extends Lease {
  /** From 0 to 1; undefined: its handler has not said anything yet. */
  share: number | undefined;
}

export interface ProgressDeps {
  store: Pick<AttemptStore, "noteProgress">;
  clock: Clock;
  log: Logger;
}

export class ProgressReporter {
  readonly #deps: ProgressDeps;
  readonly #trouble: Trouble;
  readonly #unreported = new Set<Progressing>();
  readonly #stopping = new AbortController();
  #reporting: Promise<void> | undefined;

  constructor(deps: ProgressDeps) {
    this.#deps = deps;
    this.#trouble = createTrouble({
      log: deps.log,
      nowMs: () => deps.clock.monotonicMs(),
      msg: "could not note the progress of tasks",
      over: "the progress of tasks is noted again",
    });
  }

  note(attempt: Progressing, share: number): void {
    attempt.share = share;
    this.#unreported.add(attempt);
    this.#reporting ??= this.#report();
  }

  /** The attempt is over: nothing more of it is reported. */
  end(attempt: Progressing): void {
    this.#unreported.delete(attempt);
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#reporting;
  }

  async #report(): Promise<void> {
    const { store, clock } = this.#deps;
    const { signal } = this.#stopping;
    while (this.#unreported.size > 0 && !signal.aborted) {
      const reports = [...this.#unreported].map(({ id, claim, share = 0 }) => ({ id, claim, share }));
      this.#unreported.clear();
      try {
        await store.noteProgress(reports, housekeeping);
        this.#trouble.passed();
      } catch (error) {
        // What comes next makes up for it.
        this.#trouble.met({ error: toTaskError(error) });
      }
      await clock.sleep(reportEveryMs, signal);
    }
    this.#reporting = undefined;
  }
}
