/** What `/health` tells: one check for each thing that a role leans on, and the worst of them as the whole. */

import { within } from "../limits/time-limit.ts";

export type HealthStatus = "healthy" | "degraded" | "unhealthy";

export interface Check {
  status: HealthStatus;
  [figure: string]: number | string;
}

export type Checks = Record<string, Check>;

export interface Health {
  status: HealthStatus;
  checks: Checks;
  uptime_seconds: number;
}

/** What the supervisor knows of the whole process; asked by the gateway and the admin address alike. */
export interface ProcessState {
  /** False while starting and while draining. */
  isReady(): Promise<boolean>;
  health(): Promise<Health>;
}

const severity: Record<HealthStatus, number> = { healthy: 0, degraded: 1, unhealthy: 2 };

/** Figures of what each role has for itself: the process has their sum. */
const summed: ReadonlySet<string> = new Set(["open_breakers"]);
/** What one role uses is not idle, whatever the others see. Of all other figures the process has the largest. */
const smallest: ReadonlySet<string> = new Set(["connections_idle"]);

/** Several roles' checks as one set; where two have the same check, the worse status stands. */
export function mergeChecks(all: readonly Checks[]): Checks {
  const merged: Checks = {};
  for (const [name, check] of all.flatMap((checks) => Object.entries(checks))) {
    const known = merged[name];
    merged[name] = known ? mergeCheck(known, check) : check;
  }
  return merged;
}

function mergeCheck({ status, ...figures }: Check, { status: otherStatus, ...others }: Check): Check {
  const merged = { ...figures, ...others };
  for (const [figure, value] of Object.entries(figures)) {
    const other = others[figure];
    if (other !== undefined) merged[figure] = mergeFigure(figure, value, other);
  }
  return { status: severity[otherStatus] > severity[status] ? otherStatus : status, ...merged };
}

function mergeFigure(figure: string, one: number | string, other: number | string): number | string {
  if (summed.has(figure) && typeof one === "number" && typeof other === "number") return one + other;
  return one > other === smallest.has(figure) ? other : one;
}

export function worstOf(checks: Checks): HealthStatus {
  let worst: HealthStatus = "healthy";
  for (const { status } of Object.values(checks)) if (severity[status] > severity[worst]) worst = status;
  return worst;
}

/** What answers later than this is degraded; later than that, it counts as away. */
const slowMs = 1000;
const checkLimitMs = 2000;

/** Runs a check within its limit; what rejects or hangs is unhealthy, what is slow is degraded. */
export async function checkWithin(figures: Omit<Check, "status">, check: Promise<unknown>): Promise<Check> {
  const startMs = performance.now();
  const answered = check.then(
    () => (performance.now() - startMs > slowMs ? "degraded" : "healthy"),
    () => "unhealthy" as const,
  );
  return { status: await within(checkLimitMs, answered, "unhealthy"), ...figures };
}

/** How many connections to the database a role sees in use. */
export interface Connections {
  active: number;
  idle: number;
  max: number;
}

/** The two things that every role but the gateway leans on. */
interface Parts {
  store: { ping(): Promise<unknown>; connections(): Connections };
  queues: readonly { depth(): Promise<unknown> }[];
}

/** Asks both at once. */
export async function checkParts({ store, queues }: Parts): Promise<Checks> {
  const { active, idle, max } = store.connections();
  const figures = { connections_active: active, connections_idle: idle, connections_max: max };
  const [database, messageQueue] = await Promise.all([
    checkWithin(figures, store.ping()),
    checkWithin({ queues_monitored: queues.length }, Promise.all(queues.map((queue) => queue.depth()))),
  ]);
  return { database, message_queue: messageQueue };
}

/** For a role to answer, whose own checks have the limit above. */
export const roleLimitMs = checkLimitMs + 250;

/** An answer stands for the whole process and needs no key: asked a thousand times a second, it costs one look. */
const keptMs = 1000;

/** Asks at most once at a time, and again only a second after the answer. A rejection is not kept. */
export function keepAnswer<T>(ask: () => Promise<T>, nowMs: () => number = () => performance.now()): () => Promise<T> {
  let kept: Promise<T> | undefined;
  let untilMs = Number.POSITIVE_INFINITY;
  return () => {
    if (kept && nowMs() < untilMs) return kept;
    const asked = ask();
    kept = asked;
    untilMs = Number.POSITIVE_INFINITY;
    asked.then(
      () => {
        untilMs = nowMs() + keptMs;
      },
      () => {
        kept = undefined;
      },
    );
    return asked;
  };
}

/** The three routes, the same on the gateway and on the admin address. */
export async function answerHealth(path: string, state: ProcessState): Promise<Response | undefined> {
  switch (path) {
    case "/health": {
      const health = await state.health();
      return healthResponse(health, health.status !== "unhealthy");
    }
    case "/health/ready": {
      const isReady = await state.isReady();
      return healthResponse({ status: isReady ? "healthy" : "unhealthy" }, isReady);
    }
    case "/health/live":
      return healthResponse({ status: "healthy" }, true);
    default:
      return undefined;
  }
}

function healthResponse(body: unknown, isGood: boolean): Response {
  const headers = { "cache-control": "no-store", ...(!isGood && { "retry-after": "1" }) };
  return Response.json(body, { status: isGood ? 200 : 503, headers });
}
