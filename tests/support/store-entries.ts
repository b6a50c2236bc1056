/** One task at a time in calls that take several: each gives its entry's value, or rejects with its error. */

import type { Context } from "@opentelemetry/api";
import type { AttemptStore, ClaimRequest, ClaimResult, Ending, FinishRequest } from "../../src/store/ports/attempts.ts";
import type { Actor, CreateResult, NewTask, TaskStore } from "../../src/store/ports/tasks.ts";
import { onlyValue } from "../../src/words/entry-result.ts";

export async function createOne(
  store: Pick<TaskStore, "create">,
  task: NewTask,
  actor: Actor,
  context: Context,
): Promise<CreateResult> {
  return onlyValue(await store.create([{ task, actor, context }]));
}

export async function claimOne(
  store: Pick<AttemptStore, "claim">,
  request: Omit<ClaimRequest, "context">,
  context: Context,
): Promise<ClaimResult> {
  return onlyValue(await store.claim([{ ...request, context }]));
}

export async function finishOne(
  store: Pick<AttemptStore, "finish">,
  request: Omit<FinishRequest, "context">,
  context: Context,
): Promise<Ending["to"] | null> {
  return onlyValue(await store.finish([{ ...request, context }]));
}
