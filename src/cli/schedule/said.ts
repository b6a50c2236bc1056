/** What the flags of `schedule create` and `schedule update` say, as the API takes it. */

import type { ApiFlags } from "../flags.ts";

export interface SaidFlags extends ApiFlags {
  cron?: string;
  timeZone?: string;
  every?: string;
  overlap?: string;
  catchUp?: number;
  startAt?: string;
  endAt?: string;
  quiet?: boolean;
}

export function toSaid(flags: SaidFlags): Record<string, unknown> {
  return {
    cron: flags.cron,
    time_zone: flags.timeZone,
    every: flags.every,
    overlap: flags.overlap,
    catch_up: flags.catchUp,
    start_at: flags.startAt,
    end_at: flags.endAt,
  };
}
