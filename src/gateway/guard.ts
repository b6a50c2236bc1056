/** The door of every route: who may use it, and not too often. Whoever is turned away is told why, counted and logged. */

import { permit } from "../access/caller.ts";
import { createRateLimits, refuseSpent } from "../access/rate-limit.ts";
import type { Clock } from "../limits/clock.ts";
import type { Rate } from "../settings/parsers.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { TaskError } from "../words/errors.ts";
import { createRefusals, type RefusalReason } from "./refusals.ts";
import type { Route } from "./route.ts";
import type { EdgeContext, Routes } from "./serve-route.ts";

export interface GuardDeps {
  telemetry: Telemetry;
  rateLimit: Rate | undefined;
  clock: Clock;
}

export function createGuard({ telemetry, rateLimit, clock }: GuardDeps): Pick<Routes, "admit" | "charge"> {
  const limits = createRateLimits(rateLimit, clock);
  const refused = createRefusals(telemetry, clock);

  /** Nothing to wait for: nothing is waited for. */
  const charge = (c: EdgeContext, route: Route, count: number): void | Promise<void> => {
    const caller = c.get("caller");
    const taking = limits.take(caller, c.env.peer.address, count);
    return taking?.then((allowance) => {
      c.set("allowance", allowance);
      telling(c, route, () => refuseSpent(allowance, count));
    });
  };

  const telling = (c: EdgeContext, route: Route, check: () => void): void => {
    try {
      check();
    } catch (error) {
      const reason = error instanceof TaskError ? reasons[error.code] : undefined;
      if (reason !== undefined) {
        const { context } = c.get("trace");
        const { operationId } = route;
        refused({ reason, caller: c.get("caller"), clientAddress: c.env.peer.address, operationId, context });
      }
      throw error;
    }
  };

  return {
    charge,
    admit: (c, route) => {
      // Who watches a system asks often, and is never turned away.
      if (route.scope === null) return;
      const check = (): void => telling(c, route, () => permit(c.get("caller"), route.scope));
      // First the limit: guessing is asking, too.
      const charging = charge(c, route, 1);
      return charging ? charging.then(check) : check();
    },
  };
}

const reasons: Partial<Record<TaskError["code"], RefusalReason>> = {
  unauthenticated: "unauthenticated",
  permission_denied: "permission_denied",
  resource_exhausted: "rate_limited",
};
