/** The HTTP API of a gateway, as a caller's program uses it. */

import type { HttpTask } from "./system.ts";

export interface HttpApi {
  /** Submits a task; throws unless it is accepted. */
  submit(body: unknown, headers?: Record<string, string>): Promise<HttpTask>;
  task(id: string): Promise<HttpTask>;
  /** The task once it has ended; throws when that takes longer than a minute. */
  ended(id: string): Promise<HttpTask>;
}

export function httpApi(gatewayUrl: string | undefined): HttpApi {
  const ask = async (path: string, init: RequestInit, status: number): Promise<HttpTask> => {
    const answer = await fetch(`${gatewayUrl}/v1/tasks${path}`, init);
    if (answer.status !== status) throw new Error(`tasks${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  return {
    submit: (body, headers = {}) => {
      const init = { method: "POST", headers: { "content-type": "application/json", ...headers } };
      return ask("", { ...init, body: JSON.stringify(body) }, 202);
    },
    task: (id) => ask(`/${id}`, {}, 200),
    ended: async (id) => {
      const task = await ask(`/${id}?wait=60s`, {}, 200);
      if (task.ended_at === null) throw new Error(`the task ${id} is still ${task.status} after a minute`);
      return task;
    },
  };
}
