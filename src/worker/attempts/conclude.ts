/**
 * The end of attempts, of all at once that ended at once: decides, commits, reports, gives up the leases, settles, in this
 * order. Each attempt has its own fate. Nothing is settled before its outcome is committed, and an outcome whose claim is
 * no longer ours changes nothing: another worker owns the message then.
 */

import type { Ending, FinishRequest } from "../../store/ports/attempts.ts";
import { actorOf } from "../../store/ports/tasks.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { type TaskError, toTaskError } from "../../words/errors.ts";
import { decide, type Verdict } from "../../words/retry.ts";
import type { RunResult } from "../threads/thread-runs.ts";
import { type Attempt, asksFor, endDelivery, type WorkerParts } from "./attempt.ts";
import { toEnding } from "./ending.ts";
import { reportAttempt, reportRefused } from "./report.ts";
import { toFate, type Unsettled } from "./settle.ts";

export interface EndedAttempt {
  attempt: Attempt;
  ran: RunResult;
}

interface Decided extends EndedAttempt {
  verdict: Exclude<Verdict, { kind: "drop" }>;
  request: FinishRequest;
}

export class Conclusions {
  readonly #parts: WorkerParts;
  readonly #onOver: (attempts: readonly Attempt[]) => void;

  /** `onOver` gets each attempt once it is over. */
  constructor(parts: WorkerParts, onOver: (attempts: readonly Attempt[]) => void) {
    this.#parts = parts;
    this.#onOver = onOver;
  }

  /** Never rejects. */
  async conclude(ended: readonly EndedAttempt[]): Promise<void> {
    const { store, outage } = this.#parts;
    try {
      const decided: Decided[] = [];
      const dropped: Attempt[] = [];
      for (const each of ended) this.#decide(each, decided, dropped);
      const finishing = asksFor(decided, store).map((asked) =>
        outage.commit(asked, {
          call: (waiting) => store.finish(waiting.map(({ request }) => request)),
          take: (committed, results) => this.#settle(committed, results),
        }),
      );
      await Promise.all([...finishing, this.#end(dropped)]);
    } catch (thrown) {
      const error = toTaskError(thrown);
      const attempts = ended.map(({ attempt }) => attempt);
      await this.#end(attempts, [], new Map(attempts.map((attempt) => [attempt, error])));
    }
  }

  #decide({ attempt, ran }: EndedAttempt, decided: Decided[], dropped: Attempt[]): void {
    const { config, clock, random, progress, telemetry } = this.#parts;
    const { id, claim, task, share, delivery } = attempt;
    const { outcome } = ran;
    progress.end(attempt);
    if (outcome.kind !== "succeeded") telemetry.keep(delivery.context);
    const policy = { maxAttempts: task.maxAttempts, baseMs: config.retryBase, capMs: config.retryCap };
    const verdict = decide(outcome, task.attempt, policy, random);
    const nowMs = clock.nowMs();
    if (verdict.kind === "drop") {
      reportAttempt({ attempt, ran }, verdict, nowMs, this.#parts);
      dropped.push(attempt);
      return;
    }
    const { context } = delivery;
    const ending = toEnding(verdict, outcome, nowMs);
    const request: FinishRequest = { id, claim, ending, actor: actorOf(telemetry.service, context, nowMs), context };
    if (share !== undefined) request.progress = share;
    decided.push({ attempt, ran, verdict, request });
  }

  async #settle(committed: readonly Decided[], results: readonly EntryResult<Ending["to"] | null>[]): Promise<void> {
    const attempts: Attempt[] = [];
    const unsettled: Unsettled[] = [];
    const errors = new Map<Attempt, TaskError>();
    for (const [index, decided] of committed.entries()) {
      const { attempt } = decided;
      attempts.push(attempt);
      const result = results[index];
      if (result?.kind === "failed") errors.set(attempt, result.error);
      else if (result) this.#report(decided, result.value, unsettled);
    }
    await this.#end(attempts, unsettled, errors);
  }

  /** What was committed is reported, and its message is to be settled. */
  #report({ attempt, ran, verdict, request }: Decided, became: Ending["to"] | null, unsettled: Unsettled[]): void {
    if (became === null) {
      reportRefused(attempt, this.#parts);
      return;
    }
    // Its user has called it off since the lease was last prolonged: no further attempt follows.
    const isCalledOff = became === "canceled" && "error" in verdict;
    const done: typeof verdict = isCalledOff ? { kind: "cancel", error: verdict.error } : verdict;
    reportAttempt({ attempt, ran }, done, request.actor.atMs, this.#parts);
    const { message, task, delivery } = attempt;
    unsettled.push({ message, context: delivery.context, fate: toFate(done, task) });
  }

  /** `errors`: of those whose outcome could not be committed. */
  async #end(
    attempts: readonly Attempt[],
    unsettled: readonly Unsettled[] = [],
    errors?: ReadonlyMap<Attempt, TaskError>,
  ): Promise<void> {
    const { leases, settlement, telemetry } = this.#parts;
    if (attempts.length === 0) return;
    await leases.release(attempts);
    const unburied = await settlement.settle(unsettled);
    for (const attempt of attempts) {
      endDelivery(attempt.delivery, telemetry.log, errors?.get(attempt) ?? unburied.get(attempt.message));
    }
    this.#onOver(attempts);
  }
}
