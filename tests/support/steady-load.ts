/** Callers that submit one task after the other, each waiting for its answer, until they are told to stop. */

import { httpApi } from "./http-api.ts";

export interface Accepted {
  id: string;
  /** As it was sent, as JSON. */
  payload: string;
}

export interface SteadyLoad {
  /** In the order in which their answers, 202, had been read. */
  accepted: readonly Accepted[];
  /** Resolves when every caller has its last answer; rejects when a task was not accepted. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  callers: number;
  /** The task with this number, each number once. */
  bodyOf(number: number): { type: string; payload: unknown };
}

export function startLoad(gatewayUrl: string | undefined, { callers, bodyOf }: LoadOptions): SteadyLoad {
  const api = httpApi(gatewayUrl);
  const accepted: Accepted[] = [];
  let next = 0;
  let isOver = false;
  const caller = async (): Promise<void> => {
    while (!isOver) {
      const body = bodyOf(next++);
      const { id } = await api.submit(body);
      accepted.push({ id, payload: JSON.stringify(body.payload) });
    }
  };
  const running = Promise.allSettled(Array.from({ length: callers }, caller));
  return {
    accepted,
    stop: async () => {
      isOver = true;
      for (const result of await running) if (result.status === "rejected") throw result.reason;
    },
  };
}
