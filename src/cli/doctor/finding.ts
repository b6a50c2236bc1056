/** What `throughline doctor` reports: one thing that it looked at, and what to do when it is not well. */

/** `warn`: it works, and will hurt. */
export type FindingStatus = "ok" | "warn" | "failed";

export interface Finding {
  /** What was looked at, in a word or two. */
  check: string;
  status: FindingStatus;
  /** What was seen. */
  detail: string;
  /** How to mend it; of what is not ok. */
  mend?: string;
}

export function ok(check: string, detail: string): Finding {
  return { check, status: "ok", detail };
}

export function warn(check: string, detail: string, mend: string): Finding {
  return { check, status: "warn", detail, mend };
}

export function failed(check: string, detail: string, mend: string): Finding {
  return { check, status: "failed", detail, mend };
}
