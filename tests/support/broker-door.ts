/** A real broker behind a door that sees every call, and can refuse it as AWS does. */

import { startEmbeddedBroker } from "../../src/queue/embedded.ts";
import { tempFolder } from "./temp-folder.ts";

/** What the broker says in place of an answer, in the AWS JSON protocol. */
export interface Refusal {
  status: number;
  code: string;
}

export interface BrokerDoor extends AsyncDisposable {
  /** What leads a process of ours there, with `--queue=sqs`. */
  env: Record<string, string>;
  /** From now on; undefined lets all through. */
  refuse(refusal: Refusal | undefined): void;
  /** Calls so far that were refused. */
  refused(): number;
  /** Calls so far that were let through, by action: `SendMessageBatch`. */
  calls: Map<string, number>;
}

export async function startBrokerDoor(): Promise<BrokerDoor> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await tempFolder());
  const broker = await startEmbeddedBroker(path, 0);
  stack.defer(() => broker.stop());
  const calls = new Map<string, number>();
  let refusal: Refusal | undefined;
  let refused = 0;
  const door = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const body = await request.bytes();
      if (!refusal) {
        const action = request.headers.get("x-amz-target")?.split(".")[1] ?? "";
        calls.set(action, (calls.get(action) ?? 0) + 1);
        return fetch(`${broker.endpoint}/`, { method: "POST", headers: request.headers, body });
      }
      refused += 1;
      const headers = { "content-type": "application/x-amz-json-1.0" };
      const text = JSON.stringify({ __type: `com.amazonaws.sqs#${refusal.code}`, message: "not now" });
      return new Response(text, { status: refusal.status, headers });
    },
  });
  stack.defer(() => door.stop(true));
  const owned = stack.move();
  return {
    env: {
      AWS_ENDPOINT_URL_SQS: door.url.origin,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    },
    refuse: (next) => {
      refusal = next;
    },
    refused: () => refused,
    calls,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
