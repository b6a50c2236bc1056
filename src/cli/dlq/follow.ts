/** Looking on until a redrive is over. Whoever stops looking does not stop the redrive. */

import { startProgress } from "../../terminal/progress.ts";
import type { FormFlags } from "../../terminal/screen.ts";
import { printResult, talkScreen } from "../../terminal/screen.ts";
import type { RedriveAnswer } from "../api-answers.ts";
import type { ApiAnswer, ApiClient } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { repeatUntilStopped } from "../repeat.ts";
import { redrivePath } from "./path.ts";
import { isOver, renderRedrive } from "./redrive-text.ts";

const everyMs = 250;

/** Gives the exit code: 0 when all that fitted has come back. */
export async function followRedrive(api: ApiClient, id: string, flags: FormFlags): Promise<number> {
  let newest: ApiAnswer<RedriveAnswer> | undefined;
  {
    using progress = startProgress();
    await repeatUntilStopped(everyMs, async (signal) => {
      newest = await api.call<RedriveAnswer>("GET", redrivePath(id), { signal });
      const { moved, failed, matched, status } = newest.body;
      progress.show(moved + failed, matched, status === "running" ? "" : status);
      return isOver(newest.body);
    });
  }
  if (newest) showRedrive(newest, flags);
  if (newest && isOver(newest.body)) {
    return newest.body.status === "completed" && newest.body.failed === 0 ? exitCodes.done : exitCodes.failed;
  }
  talkScreen().print(`throughline: it goes on: \`throughline dlq redrives ${id}\` shows how far it is`);
  return exitCodes.failed;
}

export function showRedrive({ body, text }: ApiAnswer<RedriveAnswer>, flags: FormFlags): void {
  printResult(flags, {
    json: text,
    ids: body.id === null ? [] : [body.id],
    forPeople: ({ canvas }) => renderRedrive(body, canvas, Date.now()),
  });
}
