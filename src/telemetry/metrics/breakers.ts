/** The circuit breakers of one role, told as what they are: log lines, a metric, and a part of the health. */

import { type Breaker, createBreaker } from "../../limits/breaker.ts";
import type { Checks } from "../../words/health.ts";
import { elapsedMs } from "../logs/log.ts";
import type { Telemetry } from "../telemetry.ts";
import { observeBreaker } from "./task-metrics.ts";

/** The other sides that a role may have, in words. */
const sides = { "task-service": "the task service", queue: "the queue", store: "the store" } as const;

export interface RoleBreakers {
  create(name: keyof typeof sides): Breaker;
  checks(): Checks;
}

export function createRoleBreakers(telemetry: Telemetry): RoleBreakers {
  const breakers: Breaker[] = [];
  const log = telemetry.log.module("breaker");
  return {
    create: (name) => {
      let openedAtMs = 0;
      const breaker = createBreaker({
        name,
        side: sides[name],
        onOpened: (error) => {
          openedAtMs = performance.now();
          log.warn("circuit breaker opened", { breaker: name, error });
        },
        onClosed: () => log.info("circuit breaker closed", { breaker: name, elapsed_ms: elapsedMs(openedAtMs) }),
      });
      observeBreaker(telemetry.meter, breaker);
      breakers.push(breaker);
      return breaker;
    },
    checks: () => {
      // One on trial has not been closed yet.
      const open = breakers.filter((breaker) => breaker.state() !== "closed").length;
      return { circuit_breakers: { status: open > 0 ? "degraded" : "healthy", open_breakers: open } };
    },
  };
}
