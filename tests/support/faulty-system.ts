/** Two processes, and ElasticMQ behind a network that a test can spoil: one has the worker, one all other roles. */

import { startElasticMq } from "../parts/elasticmq.ts";
import { type FaultProxy, startToxiproxy } from "../parts/toxiproxy.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "./process.ts";
import { tempFolder } from "./temp-folder.ts";

export interface FaultySystem extends AsyncDisposable {
  gatewayUrl: string;
  /** Gateway, task service and dlq. */
  front: ThroughlineProcess;
  worker: ThroughlineProcess;
  /** The only way from both processes to their queues. */
  network: FaultProxy;
}

/** Starts with these flags beside those that lead to the broker. */
export async function startFaultySystem(flags: readonly string[] = []): Promise<FaultySystem> {
  await using stack = new AsyncDisposableStack();
  const [elasticMq, toxiproxy] = await Promise.all([startElasticMq(), startToxiproxy()]);
  stack.use(elasticMq);
  stack.use(toxiproxy);
  const network = await toxiproxy.proxy(elasticMq.url);
  const { path: dataDir } = stack.use(await tempFolder());
  const env = {
    AWS_ENDPOINT_URL_SQS: network.url,
    AWS_REGION: "elasticmq",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
  const start = async (role: string): Promise<ThroughlineProcess> => {
    const args = [`--role=${role}`, "--queue=sqs", `--data-dir=${dataDir}`, ...freePorts, ...flags];
    return stack.use(await startThroughline(args, { env }));
  };
  const front = await start("gateway,task-service,dlq");
  const worker = await start("worker");
  const owned = stack.move();
  return {
    gatewayUrl: front.addresses.gateway_url ?? "",
    front,
    worker,
    network,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
