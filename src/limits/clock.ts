/** Time as a port: production reads the system's clocks, tests own them. */

export interface Clock {
  /** The wall clock, in milliseconds since the epoch. It can be set, back or forward: for times, not for durations. */
  nowMs(): number;
  /** The monotonic clock, in milliseconds since a moment of its own. It is never set: for durations and deadlines. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done);
    }),
};

/** A step of the wall clock that is shorter changes nothing of what waits or runs. */
export const noticedStepMs = 2000;

/** Between two readings of the monotonic clock that are further apart, the reading of the wall clock tells nothing. */
const longestReadingMs = 100;

/**
 * Gives a function that returns by how many milliseconds the wall clock has been set, against the monotonic clock, since
 * it returned a step last; 0: it has not been set. A machine that was suspended counts as a clock that was set forward.
 */
export function createStepDetector(clock: Clock): () => number {
  /** The moment of the wall clock at which the monotonic clock was 0; undefined: the process was held up meanwhile. */
  const readOriginMs = (): number | undefined => {
    const beforeMs = clock.monotonicMs();
    const nowMs = clock.nowMs();
    return clock.monotonicMs() - beforeMs > longestReadingMs ? undefined : nowMs - beforeMs;
  };
  let originMs = readOriginMs() ?? clock.nowMs() - clock.monotonicMs();
  return () => {
    const stepMs = (readOriginMs() ?? originMs) - originMs;
    if (Math.abs(stepMs) < noticedStepMs) return 0;
    originMs += stepMs;
    return Math.round(stepMs);
  };
}
