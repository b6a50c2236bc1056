/** `throughline schedule create`: has a task made again and again. */

import { talkScreen } from "../../terminal/screen.ts";
import type { ScheduleAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { readPayload } from "../task/submit.ts";
import { schedulesPath } from "./path.ts";
import { type SaidFlags, toSaid } from "./said.ts";
import { showSchedule } from "./show.ts";

export interface CreateFlags extends SaidFlags {
  id?: string;
  paused?: boolean;
  timeout?: string;
  maxAttempts?: number;
  metadata?: Record<string, string>;
}

export async function createSchedule(type: string, payload: string | undefined, flags: CreateFlags): Promise<number> {
  const { id, paused, timeout, maxAttempts, metadata } = flags;
  const task = {
    type,
    payload: payload === undefined ? undefined : readPayload(payload),
    timeout,
    max_attempts: maxAttempts,
    metadata,
  };
  const body = { id, ...toSaid(flags), paused, task };
  const made = await connectApi(flags.url).call<ScheduleAnswer>("POST", schedulesPath, { body });
  showSchedule(made, flags);
  talkScreen().suggest(flags, `throughline schedule show ${made.body.id}`);
  return exitCodes.done;
}
