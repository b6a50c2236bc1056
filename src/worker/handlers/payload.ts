/** The payload of a built-in task type. */

import type { BuiltInPayloads } from "./built-in-payloads.ts";
import type { HandlerContext, HandlerTask } from "./handler.ts";

/**
 * Fails the task for good when its payload does not fit: it will not the next time either. The schemas and their library
 * are loaded with the first such task: most handler threads never see one, and each would hold a copy.
 */
export async function payloadOf<Type extends keyof BuiltInPayloads>(
  type: Type,
  task: HandlerTask,
  ctx: HandlerContext,
): Promise<BuiltInPayloads[Type]> {
  const { parsePayload } = await import("./built-in-payloads.ts");
  const parsed = parsePayload(type, task.payload);
  if ("problem" in parsed) throw ctx.fatal(`the payload does not fit: ${parsed.problem}`);
  return parsed.payload;
}
