/** `throughline task submit`: hands in a task; with `--wait` it stays until the task has ended. */

import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { printResult, talkScreen } from "../../terminal/screen.ts";
import { TaskError } from "../../words/errors.ts";
import type { TaskAnswer } from "../api-answers.ts";
import { type ApiAnswer, connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { parsePayload } from "../values.ts";
import { endOf, type GetFlags, showTask } from "./get.ts";
import { waitForEnd } from "./wait.ts";

export interface SubmitFlags extends GetFlags {
  delay?: string;
  runAt?: string;
  timeout?: string;
  maxAttempts?: number;
  metadata?: Record<string, string>;
  key?: string;
  forceTrace?: boolean;
  quiet?: boolean;
}

export async function submitTask(type: string, payload: string | undefined, flags: SubmitFlags): Promise<number> {
  const api = connectApi(flags.url);
  const body = {
    type,
    payload: payload === undefined ? undefined : readPayload(payload),
    delay: flags.delay,
    run_at: flags.runAt,
    timeout: flags.timeout,
    max_attempts: flags.maxAttempts,
    metadata: flags.metadata,
  };
  const headers = {
    ...(flags.key !== undefined && { "idempotency-key": flags.key }),
    ...(flags.forceTrace && { "x-force-trace": "true" }),
  };
  const accepted = await api.call<TaskAnswer>("POST", "/tasks", { body, headers });
  if (!flags.wait && flags.waitLimit === undefined) {
    showAccepted(accepted, flags);
    return exitCodes.done;
  }
  // Whoever stops waiting knows what to ask for.
  if (!flags.quiet && !flags.json) talkScreen().print(acceptedText(accepted));
  const ended = await waitForEnd(api, accepted.body.id, flags.waitLimit);
  showTask(ended, flags);
  return endOf(ended.body);
}

function showAccepted(accepted: ApiAnswer<TaskAnswer>, flags: SubmitFlags): void {
  const { id } = accepted.body;
  printResult(flags, { json: accepted.text, ids: [id], forPeople: () => [acceptedText(accepted)] });
  talkScreen().suggest(flags, `throughline task get ${id} --wait`);
}

/** `01a1… queued`; the id comes first, for `cut` and `awk`. */
function acceptedText({ body: { id, status }, headers }: ApiAnswer<TaskAnswer>): string {
  return `${id} ${status}${headers.get("idempotent-replayed") === "true" ? " (the task of this key)" : ""}`;
}

/** The JSON itself, or what the file or stdin has. Throws `invalid_argument` with the reason. */
export function readPayload(text: string): unknown {
  const file = text === "-" ? 0 : text.startsWith("@") ? text.slice(1) : undefined;
  try {
    return parsePayload(file === undefined ? text : readText(file));
  } catch (cause) {
    if (cause instanceof InvalidArgumentError) {
      throw new TaskError("invalid_argument", `payload "${text}": ${cause.message}`, { cause });
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TaskError("invalid_argument", `payload "${text}" could not be read: ${why}`, { cause });
  }
}

/** Editors of another world begin a file with a byte order mark, which is no JSON. */
function readText(file: string | number): string {
  return readFileSync(file, "utf8").replace(/^\uFEFF/, "");
}
