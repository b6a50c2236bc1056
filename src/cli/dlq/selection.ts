/** Which dead letters are meant, as flags and as the API's filter. */

import { toMoment } from "../values.ts";

export interface SelectionFlags {
  type?: string;
  /** The type of the last error. */
  error?: string;
  group?: string;
  /** Why it died. */
  cause?: string;
  /** A time, or how long ago. */
  since?: string;
}

/** What is undefined fits all. */
export function toFilter({ type, error, group, cause, since }: SelectionFlags): Record<string, string | undefined> {
  return { type, error, group, reason: cause, since: since === undefined ? undefined : toMoment(since) };
}
