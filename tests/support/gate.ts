/** Tasks that run until the test lets them go: `http` tasks whose server answers when the gate opens. */

import { eventually } from "./eventually.ts";

export interface Gate extends AsyncDisposable {
  /** The body of a task that is held at the gate. */
  task(): { type: string; payload: unknown };
  /** Resolves once `count` attempts have come to the gate. */
  held(count: number): Promise<void>;
  /** Resolves once `count` of them have gone away without having been let through. */
  left(count: number): Promise<void>;
  /** How many attempts have come so far. */
  asked(): number;
  /** Lets everybody through, from now on. */
  open(): void;
}

export function startGate(): Gate {
  const opened = Promise.withResolvers<void>();
  let asked = 0;
  let left = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async ({ signal }) => {
      asked += 1;
      signal.addEventListener("abort", () => {
        left += 1;
      });
      await opened.promise;
      return Response.json("through");
    },
  });
  return {
    task: () => ({ type: "http", payload: { url: server.url.href } }),
    held: async (count) => {
      await eventually(() => asked >= count);
    },
    left: async (count) => {
      await eventually(() => left >= count);
    },
    asked: () => asked,
    open: () => opened.resolve(),
    [Symbol.asyncDispose]: async () => {
      opened.resolve();
      await server.stop(true);
    },
  };
}
