/** The routes of schedules, as a caller's program uses them. Each throws when the answer is not the one hoped for. */

import { eventually } from "./eventually.ts";
import type { HttpTask } from "./system.ts";

export interface HttpSchedule {
  id: string;
  cron: string | null;
  time_zone: string | null;
  every: string | null;
  task: {
    type: string;
    payload: unknown;
    timeout: string | null;
    max_attempts: number | null;
    metadata: Record<string, string>;
  };
  overlap: string;
  catch_up: number;
  start_at: string | null;
  end_at: string | null;
  paused: boolean;
  created_at: string;
  updated_at: string;
  trace_id: string;
  next_runs: string[];
  last_run: { task_id: string; scheduled_for: string; status: string | null } | null;
  fired: number;
  skipped: number;
  missed: number;
}

export interface Schedules {
  /** Any request below `/v1/schedules`; a refusal is an answer like any other. */
  ask(method: string, path: string, body?: unknown): Promise<Response>;
  create(body: object): Promise<HttpSchedule>;
  get(id: string): Promise<HttpSchedule>;
  /** `query` begins with its `?`. */
  list(query?: string): Promise<{ items: HttpSchedule[]; next_cursor: string | null }>;
  change(id: string, changes: object): Promise<HttpSchedule>;
  control(id: string, command: "pause" | "resume"): Promise<HttpSchedule>;
  trigger(id: string): Promise<HttpTask>;
  delete(id: string): Promise<void>;
  /** Makes a schedule with one tick before every test is long over; gives the id of its run. */
  runOnce(task: object): Promise<string>;
}

export function schedulesAt(gatewayUrl: string | undefined): Schedules {
  const ask: Schedules["ask"] = (method, path, body) =>
    fetch(`${gatewayUrl}/v1/schedules${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });

  const hope = async (status: number, method: string, path: string, body?: object) => {
    const answer = await ask(method, path, body);
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return status === 204 ? undefined : answer.json();
  };

  const create: Schedules["create"] = (body) => hope(201, "POST", "", body);
  const get: Schedules["get"] = (id) => hope(200, "GET", `/${id}`);
  const remove: Schedules["delete"] = (id) => hope(204, "DELETE", `/${id}`);

  const runOnce: Schedules["runOnce"] = async (task) => {
    const start_at = new Date(Date.now() + 500).toISOString();
    const { id, created_at } = await create({ every: "1h", start_at, task });
    const runOf = async () => (await get(id)).last_run?.task_id;
    if (created_at < start_at) return eventually(runOf, { timeoutMs: 60_000 });
    // Made too late for its own beginning, its first tick is an hour away.
    await remove(id);
    return runOnce(task);
  };

  return {
    ask,
    create,
    get,
    runOnce,
    list: (query = "") => hope(200, "GET", query),
    change: (id, changes) => hope(200, "PATCH", `/${id}`, changes),
    control: (id, command) => hope(200, "POST", `/${id}/${command}`),
    trigger: (id) => hope(202, "POST", `/${id}/trigger`),
    delete: remove,
  };
}
