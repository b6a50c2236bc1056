/**
 * What is on the queue: a claim check. The body says which task; its payload and state are in the store. Trace context,
 * correlation id and task type are message attributes.
 */

import { carrierEntries } from "../telemetry/context/propagation.ts";
import { TaskError } from "../words/errors.ts";
import { type DeadReason, deadReasons } from "../words/task.ts";
import { createdAtMsOf, isTaskId } from "../words/task-id.ts";

export interface Envelope {
  taskId: string;
  type: string;
}

const envelopeVersion = 1;

export const attributeNames = {
  correlationId: "correlation_id",
  taskType: "task_type",
  /** When the task was last brought back from the dead letters, RFC 3339: its trace began then. */
  redrivenAt: "redriven_at",
  deadReason: "dead_reason",
  sourceQueue: "source_queue",
  /** On a dead letter: the context of the send that brought the task to its worker. */
  sourceTraceparent: "source_traceparent",
} as const;

export function encodeTask({ taskId, type }: Envelope): string {
  return `{"v":${envelopeVersion},"task_id":${JSON.stringify(taskId)},"type":${JSON.stringify(type)}}`;
}

/** Throws `TaskError` `invalid_argument` when the body is not one of ours. */
export function parseEnvelope(body: string): Envelope {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (cause) {
    throw new TaskError("invalid_argument", "the message body is not JSON", { cause });
  }
  if (typeof parsed !== "object" || parsed === null) {
    throw new TaskError("invalid_argument", "the message body is not a JSON object");
  }
  const { v, task_id: taskId, type } = parsed as Record<string, unknown>;
  if (v !== envelopeVersion) throw new TaskError("invalid_argument", `the message has version ${JSON.stringify(v)}`);
  if (typeof taskId !== "string" || !isTaskId(taskId)) {
    throw new TaskError("invalid_argument", "the message's task_id is not a UUIDv7");
  }
  if (typeof type !== "string" || type === "") throw new TaskError("invalid_argument", "the message has no type");
  return { taskId, type };
}

/** When the trace of the message's task began: with its creation, or with its newest redrive. */
export function traceBeganAtMs({ taskId }: Pick<Envelope, "taskId">, attributes: Record<string, string>): number {
  const redrivenAtMs = Date.parse(attributes[attributeNames.redrivenAt] ?? "");
  return Number.isNaN(redrivenAtMs) ? createdAtMsOf(taskId) : redrivenAtMs;
}

/**
 * What a dead letter keeps of the message that it was, the most useful first: whose task it is, then what somebody else
 * put there. Its trace context is its own.
 */
export function keptAttributes(attributes: Record<string, string>): Record<string, string> {
  const names = Object.keys(attributes).filter((name) => !carrierEntries.has(name));
  const ours = [attributeNames.correlationId, attributeNames.taskType, attributeNames.redrivenAt].filter((name) =>
    names.includes(name),
  );
  return Object.fromEntries([...new Set([...ours, ...names])].map((name) => [name, attributes[name] ?? ""]));
}

/** The reason on a dead letter; what the broker moved by itself carries none. */
export function parseDeadReason(text: string | undefined): DeadReason {
  return deadReasons.find((reason) => reason === text) ?? "receive_limit";
}
