/**
 * The console's address: the page, its questions about traces, and those about tasks, which the gateway answers. The page
 * itself is open, it holds nothing; every question goes through the door first.
 */

import type { ApiKeys } from "../access/api-keys.ts";
import { identify, permit } from "../access/caller.ts";
import { createRateLimits, refuseSpent } from "../access/rate-limit.ts";
import type { HttpHandler } from "../http/listen.ts";
import { toProblem } from "../http/problem.ts";
import type { Clock } from "../limits/clock.ts";
import type { Rate } from "../settings/parsers.ts";
import { type TaskError, toTaskError } from "../words/errors.ts";
import { refuseForeignPage } from "./foreign-pages.ts";
import { passToGateway } from "./gateway-proxy.ts";
import { answerPageFile } from "./page-files.ts";

export interface SiteDeps {
  /** Answers what is not passed on. */
  query: HttpHandler;
  /** Those of the moment; undefined: nobody is asked for one. */
  apiKeys(): ApiKeys | undefined;
  /** Of those who ask; what is passed on counts at the gateway. undefined: there is none. */
  rateLimit: Rate | undefined;
  /** Without a slash at the end. */
  gatewayUrl(): Promise<string>;
  /** It listens for this machine alone. */
  isLocal: boolean;
  clock: Clock;
  /** Of the trace under which a fault of ours is logged. */
  traceId: string;
  /** Told of every fault of ours. */
  onFault(error: TaskError): void;
}

export function createSite(deps: SiteDeps): HttpHandler {
  const { query, apiKeys, rateLimit, gatewayUrl, isLocal, clock, traceId, onFault } = deps;
  const limits = createRateLimits(rateLimit, clock);

  /** As at the gateway. First the limit: guessing is asking, too. */
  const refuseUnknown = async ({ headers }: Request, address: string): Promise<void> => {
    const caller = identify(apiKeys(), headers.get("authorization"), clock.nowMs());
    const allowance = await limits.take(caller, address, 1);
    if (allowance) refuseSpent(allowance, 1);
    permit(caller, "read");
  };

  const answer: HttpHandler = async (request, peer) => {
    refuseForeignPage(request, { isLocal });
    const known = answerPageFile(request) ?? (await passToGateway(request, gatewayUrl));
    if (known) return known;
    await refuseUnknown(request, peer.address);
    return query(request, peer);
  };

  return async (request, peer) => {
    try {
      const response = await answer(request, peer);
      if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
      response.headers.set("x-content-type-options", "nosniff");
      return response;
    } catch (thrown) {
      const error = toTaskError(thrown);
      if (error.code === "internal") onFault(error);
      const refused = toProblem(error, traceId);
      refused.headers.set("cache-control", "no-store");
      refused.headers.set("x-content-type-options", "nosniff");
      return refused;
    }
  };
}
