/**
 * From a receive to its claims: opens a span for each message, claims the tasks of all at once, and starts those that
 * were won in the same turn. Every other message is settled as its claim says.
 */

import type { Span } from "@opentelemetry/api";
import { type Envelope, parseEnvelope, traceBeganAtMs } from "../../queue/envelope.ts";
import { prepareProcessSpan, processAttributes } from "../../queue/process-attributes.ts";
import type { ReceivedMessage } from "../../queue/queue.ts";
import type { ClaimRequest, ClaimResult } from "../../store/ports/attempts.ts";
import { actorOf } from "../../store/ports/tasks.ts";
import { fromCarrier, spanContextOf } from "../../telemetry/context/propagation.ts";
import type { ClaimOutcome } from "../../telemetry/metrics/task-metrics.ts";
import { ownKey } from "../../telemetry/names.ts";
import type { PreparedSpan } from "../../telemetry/spans/prepared-span.ts";
import { linksTo, markFailed, placeAttempt } from "../../telemetry/spans/tracing.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { TaskError, toFailure, toTaskError } from "../../words/errors.ts";
import { asksFor, type Delivery, endDelivery, logOf, logUnhandled, type WorkerParts } from "./attempt.ts";
import { reportCanceled, reportFailedClaim } from "./report.ts";
import type { Runs } from "./run.ts";
import type { Fate, Unsettled } from "./settle.ts";

/** What a claim's answer counts as. */
const claimOutcomes: Record<ClaimResult["kind"], ClaimOutcome> = {
  won: "won",
  leased: "lost",
  early: "lost",
  put_off: "no_handler",
  ended: "ended",
  failed: "ended",
  unknown: "ended",
};

export class Claims {
  readonly #parts: WorkerParts;
  readonly #runs: Runs;
  readonly #processSpan: PreparedSpan;

  constructor(parts: WorkerParts, runs: Runs) {
    this.#parts = parts;
    this.#runs = runs;
    this.#processSpan = prepareProcessSpan(parts.telemetry.tracer, parts.queue, { [ownKey.workerId]: parts.workerId });
  }

  /**
   * Takes what a receive brought; resolves when all of it is settled whose task does not run here. Each gives its place up
   * with those that its claim was answered with. Never rejects.
   */
  async take(messages: readonly ReceivedMessage[]): Promise<void> {
    const { outage, pool, store, telemetry } = this.#parts;
    let places = messages.length;
    const release = (count: number): void => {
      places -= count;
      pool.intake.release(count);
    };
    try {
      const { deliveries, unreadable } = this.#open(messages);
      const claiming = asksFor(deliveries, store).map((asked) =>
        outage.claim(asked, {
          call: (waiting) => this.#claim(waiting),
          keep: (waiting) => this.#keepHidden(waiting),
          take: async (claimed, results) => {
            const unstarted = this.#follow(claimed, results);
            places -= claimed.length - unstarted.length;
            await this.#settle(unstarted);
            release(unstarted.length);
          },
        }),
      );
      await Promise.all([...claiming, this.#bury(unreadable)]);
    } catch (error) {
      logUnhandled(telemetry.log, toTaskError(error));
    } finally {
      release(places);
    }
  }

  #open(messages: readonly ReceivedMessage[]) {
    const deliveries: Delivery[] = [];
    const unreadable: Burial[] = [];
    for (const message of messages) {
      const envelope = readEnvelope(message);
      if (envelope instanceof TaskError) unreadable.push(this.#openUnreadable(message, envelope));
      else deliveries.push(this.#openDelivery(message, envelope));
    }
    return { deliveries, unreadable };
  }

  #openDelivery(message: ReceivedMessage, envelope: Envelope): Delivery {
    const { config, pool, clock, telemetry } = this.#parts;
    const sent = fromCarrier(message.attributes);
    const nowMs = clock.nowMs();
    const beganAtMs = traceBeganAtMs(envelope, message.attributes);
    const policy = pool.find(envelope.type)?.tracePolicy ?? config.tracePolicy;
    const { parent, links } = placeAttempt(policy, sent, nowMs - beganAtMs);
    const attributes = processAttributes(message, nowMs);
    attributes[ownKey.taskId] = envelope.taskId;
    attributes[ownKey.taskType] = envelope.type;
    const { span, context } = this.#processSpan.start(parent, { attributes, links });
    const isRoot = !spanContextOf(parent);
    const actor = actorOf(telemetry.service, context, nowMs);
    return { message, envelope, span, context, isRoot, beganAtMs, actor, claimedAtMs: clock.monotonicMs() };
  }

  /** A message that names no task goes to the dead letters as it is, in a trace of its own unless it carries one. */
  #openUnreadable(message: ReceivedMessage, problem: TaskError): Burial {
    const { clock, telemetry } = this.#parts;
    const sent = fromCarrier(message.attributes);
    const attributes = processAttributes(message, clock.nowMs());
    const { span, context } = this.#processSpan.start(sent, { attributes, links: linksTo(spanContextOf(sent)) });
    markFailed(span, toFailure(problem));
    const fields = { error: problem, message_id: message.id };
    telemetry.log.in(context).error("unreadable message, it goes to the dead letters", fields);
    return { message, span, context, fate: { kind: "bury", attempts: 0, reason: "unreadable" } };
  }

  #claim(deliveries: readonly Delivery[]): Promise<readonly EntryResult<ClaimResult>[]> {
    const { config, store, pool, clock, telemetry, workerId } = this.#parts;
    const atMs = clock.nowMs();
    const claimedAtMs = clock.monotonicMs();
    const requests: ClaimRequest[] = [];
    for (const delivery of deliveries) {
      const { envelope, context } = delivery;
      const actor = actorOf(telemetry.service, context, atMs);
      delivery.actor = actor;
      delivery.claimedAtMs = claimedAtMs;
      const request: ClaimRequest = {
        id: envelope.taskId,
        worker: workerId,
        leaseMs: config.visibilityTimeout,
        actor,
        context,
      };
      if (!pool.find(envelope.type)) request.lacksHandler = { limitMs: config.handlerWait };
      requests.push(request);
    }
    return store.claim(requests);
  }

  #keepHidden(deliveries: readonly Delivery[]): Promise<void> {
    const messages = deliveries.map(({ message }) => message);
    return this.#parts.settlement.hide(messages, this.#parts.config.visibilityTimeout);
  }

  /** Starts what was won; gives what is not: to be settled, or left as it is because its claim failed. */
  #follow(deliveries: readonly Delivery[], results: readonly EntryResult<ClaimResult>[]): Unstarted[] {
    const { metrics } = this.#parts;
    const unstarted: Unstarted[] = [];
    for (const [index, delivery] of deliveries.entries()) {
      const result = results[index];
      if (result?.kind !== "done") {
        unstarted.push({ delivery, error: result?.error });
        continue;
      }
      const claimed = result.value;
      metrics.claimed(claimOutcomes[claimed.kind]);
      if (claimed.kind === "won" || claimed.kind === "failed") this.#placeInHistory(claimed, delivery);
      if (claimed.kind === "won") this.#runs.start(delivery, claimed);
      else unstarted.push({ delivery, fate: this.#fateOf(claimed, delivery) });
    }
    return unstarted;
  }

  /** What the claim tells of the task's past: links to where it comes from, and a trace that is kept once it failed. */
  #placeInHistory(claimed: Extract<ClaimResult, { kind: "won" | "failed" }>, delivery: Delivery): void {
    const { redrivenFrom } = claimed.task;
    const previous = claimed.kind === "won" ? claimed.previous : null;
    if (redrivenFrom === null && previous === null) return;
    const { span, context, isRoot } = delivery;
    // The redrive's own span links to the death as well; this one is there also when that one was lost in a crash.
    const earlier = [redrivenFrom, isRoot ? previous : null].filter((traceparent) => traceparent !== null);
    span.addLinks(linksTo(...earlier.map((traceparent) => spanContextOf(fromCarrier({ traceparent })))));
    if (previous !== null) this.#parts.telemetry.keep(context);
  }

  #fateOf(claimed: Exclude<ClaimResult, { kind: "won" }>, { span, context, envelope, actor }: Delivery): Fate {
    const { clock, missing, telemetry } = this.#parts;
    const { log } = telemetry;
    span.setAttribute(ownKey.outcome, claimed.kind);
    switch (claimed.kind) {
      case "ended":
        if (claimed.task) reportCanceled(claimed.task, logOf(log, claimed.task, context), actor.atMs, this.#parts);
        return { kind: "delete" };
      case "leased":
      case "early":
        return { kind: "hide", delayMs: claimed.untilMs - clock.nowMs() };
      case "put_off":
        missing.met(envelope.type, log.in(context).with({ task_id: envelope.taskId, task_type: envelope.type }));
        // The sweeper sends it anew: a message that waited here would use up the broker's receives.
        return { kind: "delete" };
      case "failed":
        // Failed by this very claim, and not by one before whose letter was not sent.
        if (claimed.task.endedAtMs === actor.atMs) {
          reportFailedClaim(claimed, logOf(log, claimed.task, context), actor.atMs, this.#parts);
        }
        return { kind: "bury", attempts: claimed.task.attempt, reason: claimed.reason };
      case "unknown":
        return { kind: "bury", attempts: 0, reason: "unknown_task" };
    }
  }

  async #settle(unstarted: readonly Unstarted[]): Promise<void> {
    const { settlement, telemetry } = this.#parts;
    const unsettled = unstarted.flatMap(({ delivery: { message, context }, fate }) =>
      fate ? { message, context, fate } : [],
    );
    const unburied = await settlement.settle(unsettled);
    for (const { delivery, error } of unstarted) {
      endDelivery(delivery, telemetry.log, error ?? unburied.get(delivery.message));
    }
  }

  async #bury(burials: readonly Burial[]): Promise<void> {
    const unburied = await this.#parts.settlement.settle(burials);
    for (const error of unburied.values()) logUnhandled(this.#parts.telemetry.log, error);
    for (const { span } of burials) span.end();
  }
}

/** A delivery whose task does not run here: what becomes of its message, or why its claim failed. */
interface Unstarted {
  delivery: Delivery;
  fate?: Fate;
  error?: TaskError | undefined;
}

/** A message that names no task. */
interface Burial extends Unsettled {
  span: Span;
}

function readEnvelope(message: ReceivedMessage): Envelope | TaskError {
  try {
    return parseEnvelope(message.body);
  } catch (error) {
    return toTaskError(error);
  }
}
