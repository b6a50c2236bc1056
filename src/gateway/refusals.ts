/** Tells who was refused, and why: counts all of them, and writes as many lines as somebody can read. */

import type { Context } from "@opentelemetry/api";
import { type Caller, callerId } from "../access/caller.ts";
import type { Clock } from "../limits/clock.ts";
import { instruments } from "../telemetry/metrics/instruments.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTokenBucket } from "./token-bucket.ts";

const reasons = ["unauthenticated", "permission_denied", "rate_limited"] as const;
export type RefusalReason = (typeof reasons)[number];

/** Of one gateway: nobody fills a disk by asking. */
const linesPerSecond = 10;

export interface Refused {
  reason: RefusalReason;
  caller: Caller;
  clientAddress: string;
  operationId: string;
  context: Context;
}

export function createRefusals({ meter, log }: Telemetry, clock: Clock): (refused: Refused) => void {
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
