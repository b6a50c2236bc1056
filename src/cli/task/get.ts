/** `throughline task get`: one task as it is, or as it ends. */

import { isEnded } from "../../task.ts";
import type { TaskAnswer } from "../api-answers.ts";
import { type ApiAnswer, type ApiClient, connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";

/** The longest that the API holds an answer. */
const holdMs = 60_000;

export async function getTask(id: string, { url, json, wait }: ApiFlags & { wait?: boolean }): Promise<number> {
  const api = connectApi(url);
  const { body: task, text } = wait ? await waitForEnd(api, id) : await api.call<TaskAnswer>("GET", taskPath(id));
  process.stdout.write(json ? `${text}\n` : `${task.status}  ${task.type}  ${task.id}\n`);
  return wait && task.status !== "succeeded" ? exitCodes.failed : exitCodes.done;
}

export function taskPath(id: string): string {
  return `/tasks/${encodeURIComponent(id)}`;
}

/** Asks again as often as the API gives an answer before the end. */
export async function waitForEnd(api: ApiClient, id: string): Promise<ApiAnswer<TaskAnswer>> {
  for (;;) {
    const options = { query: { wait: `${holdMs}ms` }, heldMs: holdMs };
    const answer = await api.call<TaskAnswer>("GET", taskPath(id), options);
    if (isEnded(answer.body.status)) return answer;
  }
}
