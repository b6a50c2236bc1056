/** Clients that submit a task, wait for its end, and submit the next, until they are stopped. */

import type { HttpTask } from "../tests/support/system.ts";

/** What clients have seen since `forget`. */
export interface Seen {
  /** Tasks that ended while a client waited. */
  ended: number;
  /** Tasks that nobody waited for any longer. */
  left: number;
  /** Submits that were not answered 202. */
  refused: number;
  slowestAcceptMs: number;
  /** Beyond one for each task that ended. */
  extraAttempts: number;
}

/** What can be put under load. */
export interface Loadable {
  gatewayUrl: string;
}

export interface Load<System extends Loadable = Loadable> extends AsyncDisposable {
  system: System;
  readonly seen: Seen;
  /** Counts from zero again. */
  forget(): void;
  /** Resolves when every task that was left so far has ended. */
  allEnded(): Promise<void>;
}

const nothing: Seen = { ended: 0, left: 0, refused: 0, slowestAcceptMs: 0, extraAttempts: 0 };
const pollMs = 100;

export function startLoad<System extends Loadable>(
  system: System,
  options: { clients: number; patienceMs: number },
): Load<System> {
  const left: string[] = [];
  let seen = { ...nothing };
  let isOver = false;

  const runTask = async (): Promise<void> => {
    const id = await submit();
    if (id === undefined) return;
    const task = await read(system, id, `?wait=${options.patienceMs}ms`);
    if (task.ended_at === null) {
      seen.left += 1;
      left.push(id);
      return;
    }
    seen.ended += 1;
    seen.extraAttempts += task.attempts.length - 1;
  };

  const submit = async (): Promise<string | undefined> => {
    const startMs = performance.now();
    const init = { method: "POST", headers: { "content-type": "application/json" } };
    const answer = await fetch(`${system.gatewayUrl}/v1/tasks`, { ...init, body: '{"type":"echo"}' });
    if (answer.status !== 202) {
      seen.refused += 1;
      await answer.body?.cancel();
      return undefined;
    }
    seen.slowestAcceptMs = Math.max(seen.slowestAcceptMs, performance.now() - startMs);
    return ((await answer.json()) as HttpTask).id;
  };

  const running = Array.from({ length: options.clients }, async () => {
    while (!isOver) await runTask();
  });

  return {
    system,
    get seen() {
      return seen;
    },
    forget: () => {
      seen = { ...nothing };
    },
    allEnded: async () => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) {
        let task = await read(system, id);
        for (; task.ended_at === null; task = await read(system, id)) await Bun.sleep(pollMs);
        seen.extraAttempts += task.attempts.length - 1;
      }
    },
    [Symbol.asyncDispose]: async () => {
      isOver = true;
      await Promise.all(running);
    },
  };
}

async function read({ gatewayUrl }: Loadable, id: string, query = ""): Promise<HttpTask> {
  const answer = await fetch(`${gatewayUrl}/v1/tasks/${id}${query}`);
  if (!answer.ok) throw new Error(`no task: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Ended tasks a second, over the next `ms`. */
export async function rateOf(load: Load, ms: number): Promise<number> {
  const before = load.seen.ended;
  const startMs = performance.now();
  await Bun.sleep(ms);
  return (load.seen.ended - before) / ((performance.now() - startMs) / 1000);
}
