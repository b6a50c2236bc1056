/** Admits requests to routes by scope and rate limit. Each refusal is answered with its reason, counted and logged. */

import type { Context } from "@opentelemetry/api";
import { type Caller, callerId, permit } from "../access/caller.ts";
import { createRateLimits, createTokenBucket, refuseSpent } from "../access/rate-limit.ts";
import type { Clock } from "../limits/clock.ts";
import type { Rate } from "../settings/parsers.ts";
import { instruments } from "../telemetry/metrics/instruments.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { TaskError } from "../words/errors.ts";
import type { EdgeContext } from "./request.ts";
import type { Route } from "./route.ts";
import type { Routes } from "./serve-route.ts";

export interface GuardDeps {
  telemetry: Telemetry;
  rateLimit: Rate | undefined;
  clock: Clock;
}

export function createGuard({ telemetry, rateLimit, clock }: GuardDeps): Pick<Routes, "admit" | "charge"> {
  const limits = createRateLimits(rateLimit, clock);
  const refused = createRefusals(telemetry, clock);

  /** Synchronous where no limit is set. */
  const charge = (c: EdgeContext, route: Route, count: number): void | Promise<void> => {
    const taking = limits.take(c.caller, c.peer.address, count);
    return taking?.then((allowance) => {
      c.allowance = allowance;
      telling(c, route, () => refuseSpent(allowance, count));
    });
  };

  const telling = (c: EdgeContext, route: Route, check: () => void): void => {
    try {
      check();
    } catch (error) {
      const reason = error instanceof TaskError ? reasonOf[error.code] : undefined;
      if (reason !== undefined) {
        const { operationId } = route;
        refused({ reason, caller: c.caller, clientAddress: c.peer.address, operationId, context: c.trace.context });
      }
      throw error;
    }
  };

  return {
    charge,
    admit: (c, route) => {
      // Probes of health come often, and are never refused.
      if (route.scope === null) return;
      const check = (): void => telling(c, route, () => permit(c.caller, route.scope));
      // The limit comes first, since guessing keys counts as well.
      const charging = charge(c, route, 1);
      return charging ? charging.then(check) : check();
    },
  };
}

const reasonOf: Partial<Record<TaskError["code"], RefusalReason>> = {
  unauthenticated: "unauthenticated",
  permission_denied: "permission_denied",
  resource_exhausted: "rate_limited",
};

const reasons = ["unauthenticated", "permission_denied", "rate_limited"] as const;
type RefusalReason = (typeof reasons)[number];

/** Of one gateway, so that refused requests cannot fill a disk with log lines. */
const linesPerSecond = 10;

interface Refused {
  reason: RefusalReason;
  caller: Caller;
  clientAddress: string;
  operationId: string;
  context: Context;
}

/** Counts who was refused, and why, and writes as many lines as somebody can read. */
function createRefusals({ meter, log }: Telemetry, clock: Clock): (refused: Refused) => void {
  const counter = meter.counter(instruments.requestsRefused);
  // There from the start: an alert on a rise sees the first one, too.
  for (const reason of reasons) counter.add(0, reason);
  const isTold = createTokenBucket(clock, linesPerSecond);
  return ({ reason, caller, clientAddress, operationId, context }) => {
    counter.add(1, reason);
    if (!isTold()) return;
    const fields = { reason, caller: callerId(caller), client_address: clientAddress, operation: operationId };
    log.in(context).warn("a request was refused", fields);
  };
}
