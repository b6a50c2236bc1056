/** The routes of dead letters, as a caller's program uses them. Each throws when the answer is not the one hoped for. */

import { eventually } from "./eventually.ts";
import type { HttpTask, TestSystem } from "./system.ts";

interface HttpDeadLetter {
  task: HttpTask;
  reason: string;
  died_at: string;
  trace_id: string;
  redrives: number;
  group: string;
}

interface HttpDeadGroup {
  group: string;
  type: string;
  error: { type: string; message: string };
  count: number;
  first_seen: string;
  last_seen: string;
  task_id: string;
  trace_id: string;
}

export interface HttpRedrive {
  id: string | null;
  status: string;
  matched: number;
  moved: number;
  failed: number;
  rate_per_second: number | null;
  reason: string | null;
  created_at: string | null;
  ended_at: string | null;
}

interface HttpUnreadable {
  message_id: string;
  body: string;
  attributes: Record<string, string>;
  reason: string;
  received_at: string;
}

export interface DeadLetters {
  /** Any request below `/v1/dead-letters`; a refusal is an answer like any other. */
  ask(method: string, path: string, body?: string): Promise<Response>;
  /** `query` begins with its `?`. */
  list(query?: string): Promise<{ items: HttpDeadLetter[]; next_cursor: string | null }>;
  get(id: string): Promise<HttpDeadLetter>;
  groups(query?: string): Promise<HttpDeadGroup[]>;
  unreadable(query?: string): Promise<HttpUnreadable[]>;
  order(asked: object): Promise<HttpRedrive>;
  /** The answer to a dry run. */
  count(asked: object): Promise<HttpRedrive>;
  redrive(ordered: HttpRedrive): Promise<HttpRedrive>;
  control(ordered: HttpRedrive, command: "pause" | "resume" | "cancel"): Promise<HttpRedrive>;
  discard(id: string, reason: string): Promise<HttpTask>;
  /** The redrive once it has moved at least so many. */
  moved(ordered: HttpRedrive, count: number): Promise<HttpRedrive>;
  /** The redrive once it has ended. */
  ended(ordered: HttpRedrive): Promise<HttpRedrive>;
  /** Orders one, and waits for its end. */
  redriven(asked: object): Promise<HttpRedrive>;
}

export function deadLettersAt(gatewayUrl: string | undefined): DeadLetters {
  const ask: DeadLetters["ask"] = (method, path, body) =>
    fetch(`${gatewayUrl}/v1/dead-letters${path}`, { method, ...(body !== undefined && { body }) });

  const hope = async (status: number, method: string, path: string, body?: object) => {
    const answer = await ask(method, path, body && JSON.stringify(body));
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };

  const dead: DeadLetters = {
    ask,
    list: (query = "") => hope(200, "GET", query),
    get: (id) => hope(200, "GET", `/${id}`),
    groups: async (query = "") => (await hope(200, "GET", `/groups${query}`)).items,
    unreadable: async (query = "") => (await hope(200, "GET", `/unreadable${query}`)).items,
    order: (asked) => hope(202, "POST", "/redrive", asked),
    count: (asked) => hope(200, "POST", "/redrive", { ...asked, dry_run: true }),
    redrive: ({ id }) => hope(200, "GET", `/redrives/${id}`),
    control: ({ id }, command) => hope(200, "POST", `/redrives/${id}/${command}`),
    discard: (id, reason) => hope(200, "POST", `/${id}/discard`, { reason }),
    moved: (ordered, count) => until(ordered, ({ moved }) => moved >= count),
    ended: (ordered) => until(ordered, ({ ended_at: at }) => at !== null),
    redriven: async (asked) => dead.ended(await dead.order(asked)),
  };

  const until = (ordered: HttpRedrive, isSo: (redrive: HttpRedrive) => boolean): Promise<HttpRedrive> =>
    eventually(
      async () => {
        const redrive = await dead.redrive(ordered);
        return isSo(redrive) && redrive;
      },
      { timeoutMs: 60_000 },
    );

  return dead;
}

/** Accepts `count` tasks of this body, and gives their ids once each is dead. */
export async function makeDead(running: TestSystem, body: object, count: number): Promise<string[]> {
  const accepted = await Promise.all(Array.from({ length: count }, () => running.accept(body)));
  const ended = await Promise.all(accepted.map(({ id }) => running.task(id, "60s")));
  for (const { id, status } of ended) if (status !== "dead") throw new Error(`the task ${id} is ${status}, not dead`);
  return ended.map(({ id }) => id);
}

/** Puts away every dead letter, those included of tasks that are about to die. */
export async function discardAll(running: TestSystem): Promise<void> {
  const dead = deadLettersAt(running.url);
  const live = "SELECT id FROM tasks WHERE status IN ('queued', 'running', 'retrying', 'failed')";
  await eventually(() => running.rows(live).length === 0, { timeoutMs: 60_000 });
  for (;;) {
    const { items } = await dead.list("?limit=100");
    if (items.length === 0) return;
    await Promise.all(items.map(({ task }) => dead.discard(task.id, "the test is over")));
  }
}

/** Resolves once the store has so many dead tasks, and none that is alive. */
export async function allDead(running: TestSystem, count: number, timeoutMs = 60_000): Promise<void> {
  const text =
    "SELECT status, count(*) AS count FROM tasks WHERE status NOT IN ('discarded', 'succeeded') GROUP BY status";
  await eventually(() => Bun.deepEquals(running.rows(text), [{ status: "dead", count }]), { timeoutMs });
}
