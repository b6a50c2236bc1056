/** The admin address of a process: health, metrics and domain events of everything that runs in it. */

import { answerHealth, type ProcessState } from "../http/health.ts";
import { type Address, type Listener, listen } from "../http/listen.ts";
import { type EventsFigures, toEventsReport } from "./events.ts";
import { contentTypes, formatFor, type MetricFamily, mergeFamilies, toMetricsText } from "./metrics/prometheus.ts";

interface AdminDeps {
  state: ProcessState;
  /** What every part of the process has measured. */
  scrape(): Promise<MetricFamily[][]>;
  /** What each role of the process has published. */
  events(): Promise<EventsFigures[]>;
}

export function startAdmin(address: Address, { state, scrape, events }: AdminDeps): Promise<Listener> {
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    if (pathname === "/metrics") {
      const format = formatFor(request.headers.get("accept"));
      const text = toMetricsText(mergeFamilies(await scrape()), format);
      return new Response(text, { headers: { "content-type": contentTypes[format], vary: "accept" } });
    }
    if (pathname === "/metrics/events") {
      return Response.json(toEventsReport(await events()), { headers: { "cache-control": "no-store" } });
    }
    return (await answerHealth(pathname, state)) ?? new Response(null, { status: 404 });
  };
  return listen(address, answer, { reserve: "inner" });
}
