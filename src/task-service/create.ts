/**
 * Tasks are made by one call each, by many calls that one call carries, or by a batch that is one call. Each task is accepted
 * or refused for itself, in a span from which its trace goes on: that of its call or, in a batch, one of its own.
 */

import { SpanKind, type Tracer } from "@opentelemetry/api";
import { createTasks } from "../api/batch.ts";
import { type Call, markRefused, type OpenCall, type RpcHandler } from "../rpc/call.ts";
import { writeRefusalResult, writeTaskResult } from "../rpc/carried.ts";
import { contextsHeader, idHeader, replayedHeader } from "../rpc/wire.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { prepareSpan } from "../telemetry/spans/prepared-span.ts";
import { toTaskError } from "../words/errors.ts";
import { parseRequest } from "./requests.ts";

/** Where a task is made. */
export type Place = Pick<Call, "correlationId" | "context" | "span">;

/** A request that was not checked yet. */
export interface Arrival {
  message: unknown;
  place: Place;
}

/** What became of an arrival; `json`: the record of its task. */
export type Fate = { kind: "done"; id: string; json: string; isReplayed: boolean } | { kind: "failed"; error: unknown };

/** One fate for each, in order. A task that is done was committed, and its send was waited for, though not for long. */
export type Accept = (arrivals: readonly Arrival[]) => Promise<Fate[]>;

export function createTaskHandler(accept: Accept): RpcHandler {
  return async (message, call) => {
    const [fate] = await accept([{ message, place: call }]);
    if (fate?.kind !== "done") throw fate?.error;
    const metadata = { [idHeader]: fate.id, [contextsHeader]: "true" };
    return { json: fate.json, metadata: fate.isReplayed ? { ...metadata, [replayedHeader]: "true" } : metadata };
  };
}

export function createTasksHandler(accept: Accept, { tracer, log }: { tracer: Tracer; log: Logger }): RpcHandler {
  const inner = prepareSpan(tracer, { name: "create task", kind: SpanKind.INTERNAL });
  const openInner = ({ correlationId, requestId, context: outer }: Call): OpenCall => {
    const { span, context } = inner.start(outer);
    const end = (thrown?: unknown): void => {
      if (thrown !== undefined) {
        markRefused(span, thrown, toTaskError(thrown).code, (failure) =>
          log.in(context).error("a task of a batch was not created", { error: failure }),
        );
      }
      span.end();
    };
    return { correlationId, requestId, context, span, end };
  };

  return async (message, call) => {
    const { tasks, contexts } = parseRequest("CreateTasks", createTasks, message);
    const arrivals = tasks.map((task, at) => {
      const context = contexts[at];
      return { message: task, place: context ? call.openCarried(context) : openInner(call) };
    });
    const fates = await accept(arrivals);
    const results = arrivals.map(({ place }, at) => toResult(place, fates[at]));
    return { json: `{"results":[${results.join(",")}]}` };
  };
}

/** Ends the task's span. */
function toResult(place: OpenCall, fate: Fate | undefined): string {
  if (fate?.kind === "done") {
    place.end();
    return writeTaskResult(fate.json, fate.isReplayed);
  }
  place.end(fate?.error);
  return writeRefusalResult(toTaskError(fate?.error));
}
