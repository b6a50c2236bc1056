/**
 * Records dead letters: each for itself, so that one that fails or takes long holds up no other. Those that are recorded
 * within a turn of the event loop are deleted in one call. One that names no task is stored unchanged.
 */

import type { Context, Span } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { attributeNames, parseDeadReason, parseEnvelope, traceBeganAtMs } from "../queue/envelope.ts";
import { prepareProcessSpan, processAttributes } from "../queue/process-attributes.ts";
import type { Queue, ReceivedMessage } from "../queue/queue.ts";
import type { DeadLetterStore } from "../store/ports/dead-letters.ts";
import { actorOf } from "../store/ports/tasks.ts";
import { createTaskTypes, type TaskTypes, type TypeStore } from "../store/ports/types.ts";
import { fromCarrier, spanContextOf } from "../telemetry/context/propagation.ts";
import { createTaskMetrics, type TaskMetrics } from "../telemetry/metrics/task-metrics.ts";
import { ownKey } from "../telemetry/names.ts";
import type { PreparedSpan } from "../telemetry/spans/prepared-span.ts";
import { type ActiveSpan, linksTo, markFailed } from "../telemetry/spans/tracing.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTrouble, type Trouble } from "../telemetry/trouble.ts";
import { type TaskError, toFailure, toTaskError } from "../words/errors.ts";
import type { DeadReason, TaskRecord } from "../words/task.ts";
import type { Intake } from "../worker/attempts/intake.ts";

export interface LettersDeps {
  store: Pick<DeadLetterStore, "recordDead" | "keepUnreadable"> & Pick<TypeStore, "listTypes">;
  queue: Queue;
  telemetry: Telemetry;
  clock: Clock;
  /** Where each letter has a place until it is settled. */
  intake: Intake;
  /** The queue that dead letters come from. */
  sourceQueue: string;
}

/** A letter that could not be recorded comes back after this long, twice as long each time, up to the longest. */
const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** So many failures in a row are the store's, not a letter's: then no letter is received for a while. */
const failuresToPause = 5;
const awayPauseMs = 1000;

export class Letters {
  readonly #deps: LettersDeps;
  readonly #metrics: TaskMetrics;
  readonly #types: TaskTypes;
  readonly #recording: Trouble;
  readonly #processSpan: PreparedSpan;
  #failures = 0;
  #pausedUntilMs = 0;
  /** Those whose fate is known, and the call that settles them. */
  #unsettled: { message: ReceivedMessage; error: TaskError | undefined }[] = [];
  #settling: Promise<void> | undefined;

  constructor(deps: LettersDeps) {
    this.#deps = deps;
    this.#metrics = createTaskMetrics(deps.telemetry.meter);
    this.#types = createTaskTypes(deps.store);
    this.#processSpan = prepareProcessSpan(deps.telemetry.tracer, deps.queue);
    this.#recording = createTrouble({
      log: deps.telemetry.log,
      nowMs: () => deps.clock.monotonicMs(),
      msg: "recording a dead letter failed",
      over: "dead letters are recorded again",
    });
  }

  /** Too many have failed: no letter is to be received for a while. */
  isPaused(): boolean {
    return this.#deps.clock.monotonicMs() < this.#pausedUntilMs;
  }

  /** Resolves when all are settled; each gives its place up by itself. Never rejects. */
  async take(messages: readonly ReceivedMessage[]): Promise<void> {
    await Promise.all(messages.map((message) => this.#takeOne(message)));
  }

  async #takeOne(message: ReceivedMessage): Promise<void> {
    const error = await this.#record(message);
    this.#unsettled.push({ message, error });
    this.#settling ??= this.#settle();
    await this.#settling;
  }

  async #settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const letters = this.#unsettled;
    this.#unsettled = [];
    this.#settling = undefined;
    const { queue, intake } = this.#deps;
    const results = await queue.settle(
      letters.map(({ message, error }) => ({ message, hideMs: error ? pauseMsOf(message) : null })),
    );
    const undeleted: ReceivedMessage[] = [];
    for (const [index, { message, error }] of letters.entries()) {
      const result = results[index];
      if (error) this.#failed(error);
      else if (result?.kind === "failed") {
        this.#failed(result.error);
        undeleted.push(message);
      } else this.#passed();
    }
    // A letter whose visibility cannot be changed comes back when it ends.
    if (undeleted.length > 0) await queue.settle(undeleted.map((message) => ({ message, hideMs: pauseMsOf(message) })));
    intake.release(letters.length);
  }

  #failed(error: TaskError): void {
    this.#failures += 1;
    if (this.#failures >= failuresToPause) this.#pausedUntilMs = this.#deps.clock.monotonicMs() + awayPauseMs;
    this.#recording.met({ error });
  }

  #passed(): void {
    this.#failures = 0;
    this.#recording.passed();
  }

  /** Gives the error when the letter could not be recorded. */
  async #record(message: ReceivedMessage): Promise<TaskError | undefined> {
    const active = this.#startSpan(message);
    const { span } = active;
    try {
      this.#deps.telemetry.keep(active.context);
      await this.#recordDeath(message, active);
      return undefined;
    } catch (error) {
      markFailed(span, toFailure(error));
      return toTaskError(error);
    } finally {
      span.end();
    }
  }

  async #recordDeath(message: ReceivedMessage, { span, context }: ActiveSpan): Promise<void> {
    const { store, telemetry, clock } = this.#deps;
    const id = taskIdOf(message);
    const reason = parseDeadReason(message.attributes[attributeNames.deadReason]);
    const actor = actorOf(telemetry.service, context, clock.nowMs());
    const death = id === undefined ? undefined : await store.recordDead({ id, reason, actor }, context);
    if (death === undefined || death.kind === "unknown") return this.#keep(message, reason, context);
    if (death.kind === "known") return;
    const { task } = death;
    span.setAttribute(ownKey.attempts, task.attempt);
    await this.#count(death, message, span);
    telemetry.log
      .in(context)
      .with({ correlation_id: task.correlationId, task_id: task.id, task_type: task.type, attempt: task.attempt })
      .error("task is dead", { reason: death.reason, ...(task.error && { error: task.error }) });
    telemetry.events.publish("task.dead", actor.atMs);
  }

  /** A death is recorded already: what cannot be asked now must not bring its letter back. */
  async #count(
    { task, reason }: { task: TaskRecord; reason: DeadReason },
    message: ReceivedMessage,
    span: Span,
  ): Promise<void> {
    const types = this.#types;
    if (types.labelOf(task.type) !== task.type) await types.refresh().catch(() => {});
    const label = types.labelOf(task.type);
    this.#metrics.processed(label, "dead");
    this.#metrics.dead(label, reason);
    const beganAtMs = traceBeganAtMs({ taskId: task.id }, message.attributes);
    this.#metrics.endToEnd(label, this.#deps.clock.nowMs() - beganAtMs, span.spanContext());
  }

  async #keep({ id, body, attributes }: ReceivedMessage, reason: DeadReason, context: Context): Promise<void> {
    const { store, telemetry, clock } = this.#deps;
    await store.keepUnreadable({ messageId: id, body, attributes, reason, atMs: clock.nowMs() }, context);
    const fields = { message_id: id, reason };
    telemetry.log.in(context).error("a dead letter names no task, it is kept as it is", fields);
  }

  #startSpan(message: ReceivedMessage): ActiveSpan {
    const { clock, sourceQueue } = this.#deps;
    const { attributes } = message;
    const sent = fromCarrier(attributes);
    const source = fromCarrier({ traceparent: attributes[attributeNames.sourceTraceparent] ?? "" });
    const taskId = taskIdOf(message);
    return this.#processSpan.start(sent, {
      links: linksTo(spanContextOf(sent), spanContextOf(source)),
      attributes: {
        ...processAttributes(message, clock.nowMs()),
        ...(taskId && { [ownKey.taskId]: taskId }),
        [ownKey.taskType]: attributes[attributeNames.taskType] ?? "",
        [ownKey.deadReason]: parseDeadReason(attributes[attributeNames.deadReason]),
        [ownKey.deadSourceQueue]: attributes[attributeNames.sourceQueue] ?? sourceQueue,
      },
    });
  }
}

function pauseMsOf({ receiveCount }: ReceivedMessage): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** (receiveCount - 1));
}

function taskIdOf(message: ReceivedMessage): string | undefined {
  try {
    return parseEnvelope(message.body).taskId;
  } catch {
    // A message that names no task is stored unchanged.
    return undefined;
  }
}
