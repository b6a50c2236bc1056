/** `throughline schedule trigger`: a run now; with `--wait` it stays until that has ended. */

import { printResult, talkScreen } from "../../terminal/screen.ts";
import type { TaskAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { endOf, type GetFlags, showTask } from "../task/get.ts";
import { waitForEnd } from "../task/wait.ts";
import { schedulePath } from "./path.ts";

export interface TriggerFlags extends GetFlags {
  quiet?: boolean;
}

export async function triggerSchedule(id: string, flags: TriggerFlags): Promise<number> {
  const api = connectApi(flags.url);
  const { body: task, text } = await api.call<TaskAnswer>("POST", `${schedulePath(id)}/trigger`);
  if (flags.wait || flags.waitLimit !== undefined) {
    const ended = await waitForEnd(api, task.id, flags.waitLimit);
    showTask(ended, flags);
    return endOf(ended.body);
  }
  printResult(flags, { json: text, ids: [task.id], forPeople: () => [`${task.id} ${task.status}`] });
  talkScreen().suggest(flags, `throughline task get ${task.id} --wait`);
  return exitCodes.done;
}
