/**
 * Tracing inside a handler's thread: what it finishes is handed on, and exported by the worker's thread.
 *
 * What is registered here holds for all handlers of the thread. Every copy of `@opentelemetry/api` 1.x finds it in one
 * global object, whichever package the copy is of. No handler or library can take it away: a registration of their own
 * is refused, as the API does it with every second one, and `disable()` has no effect.
 */

import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Tracer } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, type ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { productVersion } from "../../version.ts";
import { createPropagator, registerPropagator } from "../context/propagation.ts";
import { scopeName } from "../names.ts";
import { type PlainSpan, toPlainSpan } from "./plain-span.ts";
import { createSampler, isSampled, keepsFailures, type SamplingSettings } from "./sampling.ts";
import { CryptoIds, SpanEnds } from "./span-start.ts";

export interface ThreadTracing {
  tracer: Tracer;
  /** The next span started in this thread gets this id. */
  reserveSpanId(spanId: string): void;
}

interface ThreadTracingSettings extends SamplingSettings {
  otel: SamplingSettings["otel"] & { propagators: readonly string[] | undefined };
  /** The folder of the handlers. */
  handlers: string | undefined;
}

/**
 * Registers the OpenTelemetry API for this whole thread, so that a handler's own spans join the task's trace. Without
 * `deliver` spans are made, since handlers use them and calls carry them on, and go nowhere.
 */
export function startThreadTracing(
  settings: ThreadTracingSettings,
  deliver: ((span: PlainSpan) => void) | undefined,
): ThreadTracing {
  const ids = new CryptoIds();
  const isWanted = keepsFailures(settings) ? () => true : (span: ReadableSpan) => isSampled(span.spanContext());
  const onEnd = (span: ReadableSpan): void => {
    if (deliver && isWanted(span)) deliver(toPlainSpan(span));
  };
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    sampler: createSampler(settings),
    spanProcessors: [new SpanEnds(() => {}, onEnd)],
  });
  // The carried copy makes the global object, with its own version.
  registerPropagator(settings.otel.propagators);
  register({
    trace: provider,
    context: new LastingContextManager(),
    propagation: createPropagator(settings.otel.propagators),
    version: sharedVersion(settings.handlers),
  });
  return {
    tracer: provider.getTracer(scopeName, productVersion),
    reserveSpanId: (spanId) => ids.reserveSpanId(spanId),
  };
}

/** `context.disable()` of any copy calls this one's `disable`, which would end the context of all that runs. */
class LastingContextManager extends AsyncLocalStorageContextManager {
  override disable(): this {
    return this;
  }
}

/** Where each copy of the API, from 1.0 on, keeps and finds what is registered. */
const globalKey = Symbol.for("opentelemetry.js.api.1");

/**
 * `disable` deletes a property, and a forced registration sets one: neither changes what is inherited. Everything else that is
 * registered, such as metrics, is set on the object itself.
 */
function register(parts: { trace: unknown; context: unknown; propagation: unknown; version: string }): void {
  const lasting = Object.entries(parts).map(([name, value]): [string, PropertyDescriptor] => [
    name,
    { enumerable: true, get: () => value, set: () => {} },
  ]);
  const global: unknown = Object.create(Object.defineProperties({}, Object.fromEntries(lasting)));
  Reflect.set(globalThis, globalKey, Object.assign(Object(global), Reflect.get(globalThis, globalKey)));
}

/** A copy takes what is registered by one of its own version or a later one: so it is the latest of those that are there. */
function sharedVersion(handlers: string | undefined): string {
  const carried = versionOf(Reflect.get(globalThis, globalKey)) ?? "1.0.0";
  const installed = handlers === undefined ? undefined : installedVersion(handlers);
  return installed !== undefined && minorOf(installed) > minorOf(carried) ? installed : carried;
}

/** Of the copy that the handlers in this folder import. */
function installedVersion(folder: string): string | undefined {
  for (let at = realpathSync(folder); ; at = dirname(at)) {
    try {
      return versionOf(JSON.parse(readFileSync(join(at, "node_modules/@opentelemetry/api/package.json"), "utf8")));
    } catch {
      if (at === dirname(at)) return undefined;
    }
  }
}

function versionOf(named: unknown): string | undefined {
  const { version } = { version: undefined, ...Object(named) };
  return typeof version === "string" ? version : undefined;
}

/** -1: no 1.x, or a version before a release, which takes and gives nothing to others. */
function minorOf(version: string): number {
  return Number(/^1\.(\d+)\.\d+$/.exec(version)?.[1] ?? -1);
}
