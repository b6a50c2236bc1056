/** Task types for trying things. */

import { z } from "zod";
import type { Config } from "../config.ts";
import type { HandlerContext, TaskHandler } from "./handler.ts";
import { refuseForbiddenUrl } from "./http-allow.ts";

const sleepPayload = z.strictObject({ ms: z.number().min(0) });
const flakyPayload = z.strictObject({ failures: z.int().min(0) });
const failPayload = z.strictObject({ message: z.string().optional(), fatal: z.boolean().optional() }).nullish();
const httpPayload = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  method: z.string().default("POST"),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.unknown().optional(),
});

/** Statuses of the 4xx range after which another attempt may succeed. */
const retriedStatuses = new Set([408, 429]);

export function builtInHandlers(config: Config): TaskHandler[] {
  const httpAllow = httpAllowOf(config);
  return [
    { type: "echo", run: (task) => task.payload },
    {
      type: "sleep",
      run: async (task, ctx) => {
        const { ms } = payloadOf(sleepPayload, task.payload, ctx);
        await pause(ms, ctx.signal);
        return { slept_ms: ms };
      },
    },
    {
      type: "flaky",
      run: (task, ctx) => {
        const { failures } = payloadOf(flakyPayload, task.payload, ctx);
        if (task.attempt <= failures) throw new Error(`failure ${task.attempt} of ${failures}, as asked`);
        return { attempts: task.attempt };
      },
    },
    {
      type: "fail",
      run: (task, ctx) => {
        const payload = payloadOf(failPayload, task.payload, ctx);
        const message = payload?.message ?? "failed, as asked";
        throw payload?.fatal ? ctx.fatal(message) : new Error(message);
      },
    },
    // In a thread this ends the thread, not the process: a crash, as a fault in native code would be.
    { type: "crash", run: () => process.exit(70) },
    {
      type: "spin",
      run: () => {
        for (;;);
      },
    },
    { type: "http", run: (task, ctx) => callHttp(payloadOf(httpPayload, task.payload, ctx), ctx, httpAllow) },
  ];
}

function httpAllowOf(config: Config): string[] {
  if (config.httpAllow.length > 0) return config.httpAllow;
  return config.environment === "development" ? ["public", "loopback"] : ["public"];
}

async function callHttp(request: z.infer<typeof httpPayload>, ctx: HandlerContext, allow: string[]): Promise<unknown> {
  await refuseForbiddenUrl(new URL(request.url), allow, ctx);
  const hasBody = request.body !== undefined && !["GET", "HEAD"].includes(request.method);
  const answer = await ctx.fetch(request.url, {
    method: request.method,
    headers: { ...(hasBody && { "content-type": "application/json" }), ...request.headers },
    redirect: "manual",
    signal: ctx.signal,
    ...(hasBody && { body: JSON.stringify(request.body) }),
  });
  const text = await answer.text();
  if (answer.ok || (answer.status >= 300 && answer.status < 400)) return { status: answer.status, body: asJson(text) };
  const message = `${request.method} ${new URL(request.url).host} answered ${answer.status}`;
  if (answer.status < 500 && !retriedStatuses.has(answer.status)) throw ctx.fatal(message);
  const retryAfterSeconds = Number(answer.headers.get("retry-after"));
  if (retryAfterSeconds > 0) throw ctx.retryAfter(retryAfterSeconds * 1000, message);
  throw new Error(message);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A payload that does not fit will not fit the next time either. */
function payloadOf<T>(schema: z.ZodType<T>, payload: unknown, ctx: HandlerContext): T {
  const parsed = schema.safeParse(payload);
  if (!parsed.success) throw ctx.fatal(`the payload does not fit: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
