/** `throughline schedule update`: changes when a schedule's runs are made. */

import { ConfigError } from "../../config.ts";
import type { ScheduleAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { schedulePath } from "./path.ts";
import { type SaidFlags, toSaid } from "./said.ts";
import { showSchedule } from "./show.ts";

export async function updateSchedule(id: string, flags: SaidFlags): Promise<number> {
  const body = toSaid(flags);
  if (Object.values(body).every((value) => value === undefined)) {
    throw new ConfigError([
      "what is to change? Give --cron, --time-zone, --every, --overlap, --catch-up, --start-at or --end-at",
    ]);
  }
  showSchedule(await connectApi(flags.url).call<ScheduleAnswer>("PATCH", schedulePath(id), { body }), flags);
  return exitCodes.done;
}
