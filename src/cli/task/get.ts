/** `throughline task get`: one task as it is, or as it ends. */

import { type FormFlags, printResult, talkScreen } from "../../terminal/screen.ts";
import { isEnded } from "../../words/task.ts";
import type { TaskAnswer } from "../api-answers.ts";
import { type ApiAnswer, connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { renderTask } from "./task-facts.ts";
import { taskPath, waitForEnd } from "./wait.ts";

export interface GetFlags extends ApiFlags {
  wait?: boolean;
  /** Milliseconds. */
  waitLimit?: number;
}

export async function getTask(id: string, flags: GetFlags): Promise<number> {
  const api = connectApi(flags.url);
  const isWaiting = flags.wait ?? flags.waitLimit !== undefined;
  const answer = isWaiting
    ? await waitForEnd(api, id, flags.waitLimit)
    : await api.call<TaskAnswer>("GET", taskPath(id));
  showTask(answer, flags);
  return isWaiting ? endOf(answer.body) : exitCodes.done;
}

export function showTask({ body, text }: ApiAnswer<TaskAnswer>, flags: FormFlags): void {
  printResult(flags, {
    json: text,
    ids: [body.id],
    forPeople: ({ canvas }) => renderTask(body, canvas, Date.now()),
  });
}

/** The exit code after a wait. */
export function endOf({ id, status }: TaskAnswer): number {
  if (!isEnded(status)) talkScreen().print(`throughline: the task ${id} is still ${status}: the time to wait is over`);
  return status === "succeeded" ? exitCodes.done : exitCodes.failed;
}
