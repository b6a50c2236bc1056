/** How spans are started and ended everywhere: one span for one piece of I/O or one stage, its error recorded once. */

import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
} from "@opentelemetry/api";
import { type Failure, toFailure } from "../../words/errors.ts";
import type { TracePolicy } from "../../words/task.ts";
import { spanContextOf, withoutSpan } from "../context/propagation.ts";
import { withSpan } from "../context/with-span.ts";
import { key, ownKey } from "../names.ts";
import type { ActiveSpan } from "./prepared-span.ts";
import { inheritSampling } from "./sampling.ts";

export type { ActiveSpan } from "./prepared-span.ts";

interface SpanStart {
  kind: SpanKind;
  attributes?: Attributes;
  links?: Link[];
  startTime?: number;
}

export function startSpan(tracer: Tracer, name: string, parent: Context, start: SpanStart): ActiveSpan {
  const span = tracer.startSpan(name, start, parent);
  return { span, context: withSpan(parent, span) };
}

/** Runs `work` inside a span of its own. The span ends with the work; what is thrown marks it and goes on. */
export async function inSpan<T>(
  tracer: Tracer,
  name: string,
  parent: Context,
  start: SpanStart,
  work: (active: ActiveSpan) => Promise<T>,
): Promise<T> {
  const active = startSpan(tracer, name, parent, start);
  try {
    return await work(active);
  } catch (error) {
    markFailed(active.span, toFailure(error));
    throw error;
  } finally {
    active.span.end();
  }
}

/** Status Error, `error.type`, and the message when it differs from the type. */
export function markFailed(span: Span, failure: Failure): void {
  span.setAttribute(key.errorType, failure.type);
  const message = failure.message === failure.type ? undefined : failure.message;
  span.setStatus({ code: SpanStatusCode.ERROR, ...(message && { message }) });
}

/** The event `exception`, on the span in which the error happened and no other. */
export function recordException(span: Span, failure: Failure): void {
  const attributes: Attributes = { [key.exceptionType]: failure.type, [key.exceptionMessage]: failure.message };
  if (failure.stack) attributes[key.exceptionStacktrace] = failure.stack;
  if (failure.causes) attributes[ownKey.causeChain] = failure.causes;
  span.addEvent("exception", attributes);
}

/** An attempt that starts later than this after its task's trace began gets one of its own under the policy `auto`. */
const childWithinMs = 5 * 60_000;

/**
 * Where the span of an attempt belongs: the parent context, and the links. It is always linked to the span that sent
 * the message; it is also its child under `child`, and under `auto` while the trace is young. `traceAgeMs`: since the
 * task was made, or last brought back from the dead letters.
 */
export function placeAttempt(
  policy: TracePolicy,
  sent: Context,
  traceAgeMs: number,
): { parent: Context; links: Link[] } {
  const sender = spanContextOf(sent);
  const links = sender ? [{ context: sender }] : [];
  const isChild = policy === "child" || (policy === "auto" && traceAgeMs < childWithinMs);
  return { parent: isChild ? sent : inheritSampling(withoutSpan(sent), sender), links };
}

/** Links to every one of the spans that are known. */
export function linksTo(...contexts: (SpanContext | undefined)[]): Link[] {
  return contexts.filter((context) => context !== undefined).map((context) => ({ context }));
}

/** Where housekeeping belongs: a trace of its own. */
export const housekeeping: Context = ROOT_CONTEXT;
