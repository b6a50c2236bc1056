/** The admin address of a process: health and metrics of everything that runs in it. */

import { answerHealth, type ProcessState } from "../health.ts";
import { type Address, type Listener, listen } from "../listen.ts";
import { mergePrometheusTexts } from "./prometheus.ts";

export interface AdminDeps {
  state: ProcessState;
  /** Prometheus texts of all roles of the process. */
  scrape(): Promise<string[]>;
}

/** Prometheus text exposition format. */
const contentType = "text/plain; version=0.0.4; charset=utf-8";

export function startAdmin(address: Address, { state, scrape }: AdminDeps): Promise<Listener> {
  return listen(address, async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    if (pathname === "/metrics") {
      return new Response(mergePrometheusTexts(await scrape()), { headers: { "content-type": contentType } });
    }
    return (await answerHealth(pathname, state)) ?? new Response(null, { status: 404 });
  });
}
