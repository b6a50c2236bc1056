/** Asks Jaeger for spans. */

import { parseJaegerTraces } from "../../src/console/jaeger.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";

/** All spans of the trace; none while Jaeger does not know it. */
export async function spansOfTrace(jaegerUrl: string, traceId: string): Promise<ReceivedSpan[]> {
  return ask(`${jaegerUrl}/api/traces/${traceId}`);
}

/** All spans of every trace in which the service made a span of this name. */
export async function spansOfOperation(jaegerUrl: string, service: string, name: string): Promise<ReceivedSpan[]> {
  const query = new URLSearchParams({ service, operation: name, limit: "1000", lookback: "1h" });
  return ask(`${jaegerUrl}/api/traces?${query}`);
}

/** All spans of every trace that a search finds. */
export async function spansFound(jaegerUrl: string, query: URLSearchParams): Promise<ReceivedSpan[]> {
  return ask(`${jaegerUrl}/api/traces?${query}`);
}

async function ask(url: string): Promise<ReceivedSpan[]> {
  const answer = await fetch(url);
  if (answer.status === 404) return [];
  if (!answer.ok) throw new Error(`Jaeger answered ${answer.status}: ${await answer.text()}`);
  return parseJaegerTraces(await answer.json()).flat();
}
