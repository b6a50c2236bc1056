/** The admin address of a process: health, metrics and domain events of everything that runs in it. */

import { answerHealth, type ProcessState } from "../health.ts";
import { type Address, type Listener, listen } from "../listen.ts";
import { type EventsFigures, toEventsReport } from "./events.ts";
import { mergePrometheusTexts } from "./prometheus.ts";

export interface AdminDeps {
  state: ProcessState;
  /** Prometheus texts of all roles of the process. */
  scrape(): Promise<string[]>;
  /** What each role of the process has published. */
  events(): Promise<EventsFigures[]>;
}

/** Prometheus text exposition format. */
const contentType = "text/plain; version=0.0.4; charset=utf-8";

export function startAdmin(address: Address, { state, scrape, events }: AdminDeps): Promise<Listener> {
  return listen(address, async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    if (pathname === "/metrics") {
      return new Response(mergePrometheusTexts(await scrape()), { headers: { "content-type": contentType } });
    }
    if (pathname === "/metrics/events") {
      return Response.json(toEventsReport(await events()), { headers: { "cache-control": "no-store" } });
    }
    return (await answerHealth(pathname, state)) ?? new Response(null, { status: 404 });
  });
}
