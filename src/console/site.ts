/**
 * The console's address: the page, its questions about traces, and those about tasks, which the gateway answers. The page
 * itself is open, it holds nothing; every question goes through the door first.
 */

import type { ApiKeys } from "../access/api-keys.ts";
import type { Clock } from "../clock.ts";
import { type TaskError, toTaskError } from "../errors.ts";
import type { HttpHandler } from "../listen.ts";
import { toProblem } from "../problem.ts";
import { refuseForeignPage, refuseUnknown } from "./door.ts";
import { passToGateway } from "./gateway-proxy.ts";
import { answerPageFile } from "./page-files.ts";

export interface SiteDeps {
  /** Answers what is not passed on. */
  query: HttpHandler;
  /** Those of the moment; undefined: nobody is asked for one. */
  apiKeys(): ApiKeys | undefined;
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

export function createSite({ query, apiKeys, gatewayUrl, isLocal, clock, traceId, onFault }: SiteDeps): HttpHandler {
  const answer: HttpHandler = async (request, peer) => {
    refuseForeignPage(request, { isLocal });
    const known = answerPageFile(request) ?? (await passToGateway(request, gatewayUrl));
    if (known) return known;
    refuseUnknown(request, apiKeys(), clock.nowMs());
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
