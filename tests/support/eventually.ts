/** Waits for something that another part of the system will make true, in place of sleeping. */

export interface EventuallyOptions {
  timeoutMs?: number;
  intervalMs?: number;
}

/** What a check may give that means "not yet". */
type NotYet = undefined | false;

/**
 * Asks `check` again and again until it gives something, and resolves to that. Throwing, `undefined` and `false` mean
 * not yet; so a check made only of expectations ends with `return true`. When the time is over it rejects with what the
 * check threw last, or with what it gave. A check that hangs is ended by the test's own time limit.
 */
export async function eventually<T>(
  check: () => T | NotYet | Promise<T | NotYet>,
  { timeoutMs = 10_000, intervalMs = 20 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const asked = await ask(check);
    if ("given" in asked) {
      return asked.given;
    }
    if (performance.now() >= deadline) {
      throw new Error(`still not so after ${timeoutMs} ms: ${asked.why}`, { cause: asked.cause });
    }
    await Bun.sleep(intervalMs);
  }
}

type Asked<T> = { given: T } | { why: string; cause?: unknown };

async function ask<T>(check: () => T | NotYet | Promise<T | NotYet>): Promise<Asked<T>> {
  try {
    const given = await check();
    return given === undefined || given === false ? { why: `the check gave ${given}` } : { given };
  } catch (cause) {
    return { why: cause instanceof Error ? cause.message : String(cause), cause };
  }
}
