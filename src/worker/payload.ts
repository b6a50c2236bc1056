/** The payload of a built-in task type. */

import { z } from "zod";
import type { HandlerContext } from "./handler.ts";

/** A payload that does not fit will not fit the next time either. */
export function payloadOf<T>(schema: z.ZodType<T>, payload: unknown, ctx: HandlerContext): T {
  const parsed = schema.safeParse(payload);
  if (!parsed.success) throw ctx.fatal(`the payload does not fit: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
