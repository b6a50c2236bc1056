/** A handlers' thread from its start: loads the handlers, says which types they are, then runs what comes. */

import type { Config } from "../config.ts";
import { toFailure } from "../errors.ts";
import { createRedaction } from "../telemetry/redact.ts";
import { startThreadTracing } from "../telemetry/thread-tracing.ts";
import { HandlerError, type Handlers, loadHandlers } from "./handlers.ts";
import { createRunner } from "./run.ts";
import type { FromHandlerThread, ToHandlerThread } from "./thread-messages.ts";

export interface HandlerThreadStart {
  config: Config;
  threadId: number;
  threadName: string;
}

export async function startHandlerThread(
  { config, threadId, threadName }: HandlerThreadStart,
  tell: (message: FromHandlerThread) => void,
): Promise<(message: ToHandlerThread) => void> {
  let handlers: Handlers = new Map();
  // Tracing first: a handler file may ask for a tracer while it is loaded.
  const run = createRunner({
    find: (type) => handlers.get(type),
    startTracing: (deliver) => startThreadTracing(config, deliver),
    redaction: createRedaction(config.redactKeys),
    thread: { id: threadId, name: threadName },
    fetch,
    maxResultBytes: config.maxResult,
    tell,
  });
  const loaded = await loadOrRefuse(config, tell);
  if (!loaded) return () => {};
  handlers = loaded;
  tell({ kind: "loaded", types: [...handlers.values()].map(({ handler: _, ...type }) => type) });
  return run;
}

async function loadOrRefuse(config: Config, tell: (message: FromHandlerThread) => void): Promise<Handlers | undefined> {
  try {
    return await loadHandlers(config);
  } catch (error) {
    const problems = error instanceof HandlerError ? error.problems : [toFailure(error).message];
    tell({ kind: "refused", problems });
    return undefined;
  }
}
