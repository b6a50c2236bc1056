/**
 * What the worker does while the store takes nothing, as with a full disk: calls for what is in hand are repeated, and
 * while any is, the receive loop takes no more. So an outcome is not lost and its handler does not run again, and a
 * message does not use up its receives. What waits is bounded by what was in hand when it began. Of a batch only the
 * entries that were refused wait.
 *
 * Outcomes go before claims: the lease of an attempt that has ended may be over by then, and a claim of the same task,
 * had it the first turn, would run it again.
 */

import type { Clock } from "../../limits/clock.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { TaskError } from "../../words/errors.ts";

const firstPauseMs = 250;
const longestPauseMs = 5000;
/** How long an outcome is still repeated once the worker stops. */
const settleLimitMs = 5000;

/** A call for a batch, which never rejects, and what takes its results. */
export interface BatchCall<Entry, Value> {
  call(entries: readonly Entry[]): Promise<readonly EntryResult<Value>[]>;
  /** Gets the entries that were answered, each once, and their results in the same order. */
  take(entries: readonly Entry[], results: readonly EntryResult<Value>[]): Promise<void>;
}

export interface ClaimCall<Entry, Value> extends BatchCall<Entry, Value> {
  /** Called before each pause with what waits, so that the messages stay hidden. */
  keep(entries: readonly Entry[]): Promise<unknown>;
}

export interface OutageDeps {
  clock: Clock;
  log: Logger;
  /** What `keep` hides messages for; every pause is shorter. */
  leaseMs: number;
}

/** The entries that the store took no call for, and the error of the first. */
interface Refused<Entry> {
  entries: readonly Entry[];
  error: TaskError;
}

export class Outage {
  readonly #deps: OutageDeps;
  readonly #draining = new AbortController();
  readonly #repeated = { outcomes: 0, claims: 0 };
  #beganAtMs = 0;

  constructor(deps: OutageDeps) {
    this.#deps = deps;
  }

  /** Whether a call is being repeated. */
  isOn(): boolean {
    return this.#repeated.outcomes + this.#repeated.claims > 0;
  }

  /** Commits outcomes, each until the store answers; some seconds into a drain with the store's error. */
  async commit<Entry, Value>(outcomes: readonly Entry[], batch: BatchCall<Entry, Value>): Promise<void> {
    const taking: Promise<void>[] = [];
    const refused = await tryOnce(outcomes, batch, taking);
    if (refused) await this.#repeat("outcomes", refused, () => this.#repeatOutcomes(refused, batch, taking));
    await Promise.all(taking);
  }

  /** Claims, each until the store answers; in a drain with `unavailable`. */
  async claim<Entry, Value>(claims: readonly Entry[], batch: ClaimCall<Entry, Value>): Promise<void> {
    const taking: Promise<void>[] = [];
    const isLate = this.#repeated.outcomes > 0;
    const refused = isLate ? { entries: claims, error: notNow() } : await tryOnce(claims, batch, taking);
    if (refused) await this.#repeat("claims", refused, () => this.#repeatClaims(refused, batch, taking));
    await Promise.all(taking);
  }

  /** The worker stops: nothing is repeated for long any more. */
  drain(): void {
    this.#draining.abort();
  }

  async #repeat(
    kind: "outcomes" | "claims",
    { error }: Refused<unknown>,
    repeating: () => Promise<void>,
  ): Promise<void> {
    const { clock, log } = this.#deps;
    if (!this.isOn()) {
      this.#beganAtMs = clock.monotonicMs();
      log.warn("the store takes nothing, no message is received until it does", { error });
    }
    this.#repeated[kind] += 1;
    try {
      await repeating();
    } finally {
      this.#repeated[kind] -= 1;
      const elapsed = { elapsed_ms: Math.round(clock.monotonicMs() - this.#beganAtMs) };
      if (!this.isOn()) log.info("nothing waits for the store any more", elapsed);
    }
  }

  async #repeatOutcomes<Entry, Value>(
    refused: Refused<Entry>,
    batch: BatchCall<Entry, Value>,
    taking: Promise<void>[],
  ): Promise<void> {
    const { clock } = this.#deps;
    let left = refused;
    let giveUpAtMs = Number.POSITIVE_INFINITY;
    for (let tries = 1; ; tries++) {
      if (this.#draining.signal.aborted) giveUpAtMs = Math.min(giveUpAtMs, clock.monotonicMs() + settleLimitMs);
      await this.#pause(tries);
      const again = await tryOnce(left.entries, batch, taking);
      if (!again) return;
      left = again;
      if (clock.monotonicMs() >= giveUpAtMs) break;
    }
    taking.push(giveUp(left, batch));
  }

  async #repeatClaims<Entry, Value>(
    refused: Refused<Entry>,
    batch: ClaimCall<Entry, Value>,
    taking: Promise<void>[],
  ): Promise<void> {
    const { signal } = this.#draining;
    let { entries } = refused;
    for (let tries = 1; !signal.aborted; tries++) {
      await batch.keep(entries);
      await this.#pause(tries);
      if (signal.aborted || this.#repeated.outcomes > 0) continue;
      const again = await tryOnce(entries, batch, taking);
      if (!again) return;
      entries = again.entries;
    }
    taking.push(giveUp({ entries, error: notNow() }, batch));
  }

  /** Twice as long each time. In a drain the signal is over, and cannot cut a pause short any more. */
  #pause(tries: number): Promise<void> {
    const { clock, leaseMs } = this.#deps;
    if (this.#draining.signal.aborted) return clock.sleep(firstPauseMs);
    const pauseMs = Math.min(firstPauseMs * 2 ** (tries - 1), longestPauseMs, leaseMs / 3);
    return clock.sleep(pauseMs, this.#draining.signal);
  }
}

/** One call. What it answers goes to `take`, whose work is added to `taking`; gives what was refused. */
async function tryOnce<Entry, Value>(
  entries: readonly Entry[],
  { call, take }: BatchCall<Entry, Value>,
  taking: Promise<void>[],
): Promise<Refused<Entry> | undefined> {
  const results = entries.length > 0 ? await call(entries) : [];
  const refusal = results.find(isRefused);
  if (!refusal) {
    taking.push(take(entries, results));
    return undefined;
  }
  const answered = entries.filter((_entry, index) => !isRefused(results[index]));
  if (answered.length > 0)
    taking.push(
      take(
        answered,
        results.filter((result) => !isRefused(result)),
      ),
    );
  return { entries: entries.filter((_entry, index) => isRefused(results[index])), error: refusal.error };
}

function giveUp<Entry, Value>({ entries, error }: Refused<Entry>, { take }: BatchCall<Entry, Value>): Promise<void> {
  return take(
    entries,
    entries.map(() => ({ kind: "failed", error })),
  );
}

function isRefused<Value>(result: EntryResult<Value> | undefined): result is { kind: "failed"; error: TaskError } {
  return result?.kind === "failed" && result.error.code === "unavailable";
}

function notNow(): TaskError {
  return new TaskError("unavailable", "the store takes no claim now");
}
