/** A real broker behind a door. */

import { startEmbeddedBroker } from "../../src/broker/embedded.ts";
import { type AwsDoor, openAwsDoor } from "./aws-door.ts";
import { tempFolder } from "./temp-folder.ts";

export interface BrokerDoor extends AwsDoor {
  /** What leads a process of ours there, with `--queue=sqs`. */
  env: Record<string, string>;
}

export async function startBrokerDoor(): Promise<BrokerDoor> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await tempFolder());
  const broker = await startEmbeddedBroker(path, 0);
  stack.defer(() => broker.stop());
  const door = stack.use(openAwsDoor(broker.endpoint, "com.amazonaws.sqs"));
  const owned = stack.move();
  return {
    ...door,
    env: {
      AWS_ENDPOINT_URL_SQS: door.url,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
