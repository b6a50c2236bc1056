/**
 * The claimed tasks of this worker, in one table from claim to settled message. Hands each to the threads, and what they
 * end within a turn of the event loop to its conclusion, all at once.
 */

import type { ClaimResult } from "../../store/ports/attempts.ts";
import { toCarrier } from "../../telemetry/context/propagation.ts";
import { ownKey } from "../../telemetry/names.ts";
import { metadataAttributes } from "../../telemetry/spans/attributes.ts";
import { CryptoIds } from "../../telemetry/spans/span-start.ts";
import type { RunListener, RunResult } from "../threads/thread-runs.ts";
import { type Attempt, type Delivery, labelOf, logOf, type WorkerParts } from "./attempt.ts";
import { Conclusions, type EndedAttempt } from "./conclude.ts";

export class Runs implements RunListener {
  readonly #parts: WorkerParts;
  readonly #conclusions: Conclusions;
  readonly #attempts = new Map<number, Attempt>();
  readonly #ids = new CryptoIds();
  #ended: EndedAttempt[] = [];
  #lastNumber = 0;
  #onEmpty: (() => void) | undefined;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#conclusions = new Conclusions(parts, (attempts) => this.#forget(attempts));
  }

  /** Tasks that are claimed and not settled. */
  get size(): number {
    return this.#attempts.size;
  }

  /** Resolves when there are none. */
  async done(): Promise<void> {
    if (this.size === 0) return;
    const empty = Promise.withResolvers<void>();
    this.#onEmpty = empty.resolve;
    await empty.promise;
  }

  /** Runs a task that was won. */
  start(delivery: Delivery, { claim, task }: Extract<ClaimResult, { kind: "won" }>): void {
    const { config, pool, clock, leases, metrics, telemetry } = this.#parts;
    const { span, context, message, actor, claimedAtMs } = delivery;
    const type = pool.find(task.type);
    const label = labelOf(pool, task.type);
    const log = logOf(telemetry.log, task, context);
    const number = ++this.#lastNumber;
    const attempt: Attempt = { id: task.id, claim, number, delivery, message, task, label, log, share: undefined };
    span.setAttribute(ownKey.attempt, task.attempt);
    if (config.metadataAttributes.length > 0) {
      span.setAttributes(metadataAttributes(task.metadata, config.metadataAttributes));
    }
    log.info("task started");
    metrics.queueWait(label, clock.nowMs() - task.runAtMs, span.spanContext());
    telemetry.events.publish("task.started", actor.atMs);
    leases.hold(attempt, claimedAtMs);
    this.#attempts.set(number, attempt);
    pool.run({
      run: {
        number,
        taskId: task.id,
        type: task.type,
        attempt: task.attempt,
        correlationId: task.correlationId,
        metadata: task.metadata,
        carrier: toCarrier(context),
        spanId: this.#ids.generateSpanId(),
      },
      payload: task.payload,
      timeoutMs: task.timeoutMs ?? type?.timeoutMs ?? config.taskTimeout,
      isAlone: task.runsAlone || type?.isolation === "exclusive",
      listener: this,
    });
  }

  onProgress(number: number, share: number): void {
    const attempt = this.#attempts.get(number);
    if (attempt) this.#parts.progress.note(attempt, share);
  }

  onEnded(number: number, ran: RunResult): void {
    const attempt = this.#attempts.get(number);
    // Each message of a thread is a callback of its own; what a turn of the event loop brings is concluded after them.
    if (attempt && this.#ended.push({ attempt, ran }) === 1) setImmediate(this.#conclude);
  }

  readonly #conclude = (): void => {
    const ended = this.#ended;
    this.#ended = [];
    void this.#conclusions.conclude(ended);
  };

  #forget(attempts: readonly Attempt[]): void {
    for (const { number } of attempts) this.#attempts.delete(number);
    if (this.size === 0) this.#onEmpty?.();
  }
}
