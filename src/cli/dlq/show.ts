/** `throughline dlq show`: one dead task, why it died, and every attempt. */

import { printResult, talkScreen } from "../../terminal/screen.ts";
import type { DeadLetterAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { renderTask } from "../task/task-facts.ts";
import { deadLetterPath } from "./path.ts";

export async function showDeadLetter(id: string, flags: ApiFlags): Promise<number> {
  const { body: letter, text } = await connectApi(flags.url).call<DeadLetterAnswer>("GET", deadLetterPath(id));
  printResult(flags, {
    json: text,
    ids: [id],
    forPeople: ({ canvas }) =>
      renderTask(letter.task, canvas, Date.now(), [
        ["died of", letter.reason],
        ["redrives", letter.redrives === 0 ? null : String(letter.redrives)],
        ["died in", letter.trace_id === letter.task.trace_id ? null : `trace ${letter.trace_id}`],
      ]),
  });
  talkScreen().suggest(flags, `throughline dlq redrive ${id}`, `throughline dlq discard ${id} --reason "…"`);
  return exitCodes.done;
}
