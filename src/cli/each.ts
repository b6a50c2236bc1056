/** The same call for several ids: each is told by itself, and one that fails does not keep the others from it. */

import { printResult } from "../terminal/screen.ts";
import { TaskError } from "../words/errors.ts";
import type { ApiAnswer } from "./api-client.ts";
import { exitCodes } from "./exit-codes.ts";
import { explain } from "./explain.ts";
import type { ApiFlags } from "./flags.ts";

/** Of several, it must be said which. */
function namedAs(id: string, error: unknown): unknown {
  if (!(error instanceof TaskError) || error.message.includes(id)) return error;
  const { code, message, isRemote } = error;
  return new TaskError(code, `${id}: ${message}`, { isRemote, cause: error });
}

export interface EachFlags extends ApiFlags {
  quiet?: boolean;
}

/** Gives the exit code: that of the first failure. With `--json` there is a line for each. */
export async function callEach<T>(
  ids: readonly string[],
  flags: EachFlags,
  call: (id: string) => Promise<ApiAnswer<T>>,
  tell: (body: T) => string,
): Promise<number> {
  let exitCode: number = exitCodes.done;
  for (const id of ids) {
    try {
      const { body, text } = await call(id);
      printResult(flags, { json: text, ids: [id], forPeople: () => [tell(body)] });
    } catch (error) {
      const failed = explain(namedAs(id, error));
      exitCode ||= failed;
    }
  }
  return exitCode;
}
