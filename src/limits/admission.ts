/** Bounded waiting: whoever comes when too many are there already is refused at once, and told when to come back. */

import { TaskError } from "../words/errors.ts";

/** Runs `work` if there is room for it; rejects with `resource_exhausted` if not. */
export type Admit = <T>(work: () => Promise<T>) => Promise<T>;

/** What is refused now may well find room this much later. */
const retryAfterMs = 1000;

/** At most `limit` at once; `what` they are, in the plural, for the error. */
export function createAdmission(limit: number, what: string): Admit {
  let inProgress = 0;
  return async (work) => {
    if (inProgress >= limit) {
      throw new TaskError("resource_exhausted", `there are ${limit} ${what} already`, { retryAfterMs });
    }
    inProgress += 1;
    try {
      return await work();
    } finally {
      inProgress -= 1;
    }
  };
}
