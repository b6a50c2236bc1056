/** What the payloads of the built-in task types must be. */

import { z } from "zod";
import type { HandlerContext, HandlerTask } from "./handler.ts";

/** They say how the message is framed, or whom it is for: not the caller's to say. Fetch standard, "forbidden request-header". */
const ownHeaders =
  /^(host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|accept-encoding)$/i;

const payloads = {
  sleep: z.strictObject({ ms: z.number().min(0) }),
  flaky: z.strictObject({ failures: z.int().min(0) }),
  fail: z.strictObject({ message: z.string().optional(), fatal: z.boolean().optional() }).nullish(),
  http: z.strictObject({
    url: z.url({ protocol: /^https?$/ }),
    /** Fetch standard, "forbidden method". */
    method: z
      .string()
      .regex(/^[A-Za-z][A-Za-z-]{0,31}$/, "expected a method such as POST")
      .transform((method) => method.toUpperCase())
      .refine((method) => !["CONNECT", "TRACE", "TRACK"].includes(method), "this method is not allowed")
      .default("POST"),
    headers: z
      .record(z.string(), z.string())
      .refine(areHeaders, "expected names and values of HTTP headers")
      .superRefine((headers, context) => {
        for (const name of Object.keys(headers).filter((name) => ownHeaders.test(name))) {
          context.addIssue({ code: "custom", message: `the header "${name}" is the call's own, leave it out` });
        }
      })
      .default({}),
    body: z.unknown().optional(),
  }),
};

export type BuiltInPayloads = { [Type in keyof typeof payloads]: z.infer<(typeof payloads)[Type]> };

/** Fails the task for good when its payload does not fit: the next attempt would have the same one. */
export function payloadOf<Type extends keyof BuiltInPayloads>(
  type: Type,
  task: HandlerTask,
  ctx: HandlerContext,
): BuiltInPayloads[Type] {
  const parsed = payloads[type].safeParse(task.payload);
  if (!parsed.success) throw ctx.fatal(`the payload does not fit: ${z.prettifyError(parsed.error)}`);
  // What the schema of this type gives.
  return parsed.data as BuiltInPayloads[Type];
}

function areHeaders(headers: Record<string, string>): boolean {
  try {
    new Headers(headers);
    return true;
  } catch {
    return false;
  }
}
