/** `throughline schedule show`: one schedule, its last run and the next ones. */

import { type FormFlags, printResult, talkScreen } from "../../terminal/screen.ts";
import type { ScheduleAnswer } from "../api-answers.ts";
import { type ApiAnswer, connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { schedulePath } from "./path.ts";
import { renderSchedule } from "./schedule-facts.ts";

export async function getSchedule(id: string, flags: ApiFlags): Promise<number> {
  const shown = await connectApi(flags.url).call<ScheduleAnswer>("GET", schedulePath(id));
  showSchedule(shown, flags);
  const taskId = shown.body.last_run?.task_id;
  if (taskId !== undefined) talkScreen().suggest(flags, `throughline task get ${taskId}`);
  return exitCodes.done;
}

export function showSchedule({ body, text }: ApiAnswer<ScheduleAnswer>, flags: FormFlags): void {
  printResult(flags, {
    json: text,
    ids: [body.id],
    forPeople: ({ canvas }) => renderSchedule(body, canvas, Date.now()),
  });
}
