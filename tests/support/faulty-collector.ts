/** An OTLP receiver that can stop doing its work, in each of the ways that a collector does. */

import { createReceiver, type DecodedSink, toSink } from "../../src/console/receiver.ts";
import { freePort } from "../parts/free-port.ts";

const collectorStates = ["well", "away", "slow", "hanging", "busy"] as const;

/** `away`: nobody listens. `slow`: answers after a while. `hanging`: never answers. `busy`: 503. */
export type CollectorState = (typeof collectorStates)[number];

export interface FaultyCollector extends AsyncDisposable {
  url: string;
  become(state: CollectorState): Promise<void>;
  /** Requests that came, whatever became of them. */
  asked(): number;
}

const slowMs = 200;

export async function startFaultyCollector(sink: DecodedSink): Promise<FaultyCollector> {
  const receive = createReceiver(toSink(sink));
  const port = await freePort();
  const peer = { address: "127.0.0.1" };
  let asked = 0;
  let state: CollectorState = "well";
  /** Resolves when hanging is over. */
  let hang = Promise.withResolvers<void>();
  const answer = async (request: Request): Promise<Response> => {
    asked += 1;
    if (state === "slow") await Bun.sleep(slowMs);
    if (state === "well" || state === "slow") return receive(request, peer);
    await request.bytes();
    // Whoever asked has given up by then.
    if (state === "hanging") await hang.promise;
    return new Response(null, { status: 503 });
  };
  const open = () => Bun.serve({ port, hostname: "127.0.0.1", idleTimeout: 0, fetch: answer });
  let server = open();
  return {
    url: `http://127.0.0.1:${port}`,
    asked: () => asked,
    become: async (next) => {
      if (state === "away") server = open();
      if (next === "away") await server.stop(true);
      state = next;
      hang.resolve();
      hang = Promise.withResolvers();
    },
    [Symbol.asyncDispose]: async () => {
      hang.resolve();
      await server.stop(true);
    },
  };
}
