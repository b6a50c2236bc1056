/** Something done again and again until Ctrl-C, which is no failure. */

import { systemClock } from "../limits/clock.ts";
import { outputFailure } from "./output.ts";
import { stopSignal } from "./stop-signal.ts";

/** Gives true when that was enough. */
type Step = (signal: AbortSignal) => Promise<boolean | undefined>;

/** Calls `step` at once, and `everyMs` after it has ended; resolves after a signal, rejects when `step` does. */
export async function repeatUntilStopped(everyMs: number, step: Step): Promise<void> {
  const stopping = new AbortController();
  // A reader that has gone ends it too.
  void Promise.race([stopSignal(() => {}), outputFailure()]).then(() => stopping.abort());
  while (!stopping.signal.aborted) {
    try {
      if (await step(stopping.signal)) return;
    } catch (error) {
      if (stopping.signal.aborted) return;
      throw error;
    }
    await systemClock.sleep(everyMs, stopping.signal);
  }
}
