/** A role that runs: what the supervisor can ask of it, whether it is a thread away or not. */

import type { Checks } from "./http/health.ts";

export interface Service {
  /** Real addresses, by the names of the ready line (`gateway_url`, …). */
  addresses: Record<string, string>;
  checks(): Promise<Checks>;
  /** Stops taking; resolves when what was taken has been finished or given back. */
  drain(): Promise<void>;
  /** Cancels what runs; `drain` then resolves soon. */
  abort(): void;
}
