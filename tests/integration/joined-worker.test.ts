/** A worker in a process of its own, at the embedded queue of a process with all roles. */

import { expect, test } from "bun:test";
import { httpApi } from "../support/http-api.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;

/** A folder with a handler of one type, which gives its process. */
async function handlerFolder(type: string) {
  const folder = await tempFolder();
  await Bun.write(`${folder.path}/${type}.ts`, "export default { run: () => process.pid };");
  return folder;
}

test(
  "runs tasks of that process, waits while it is away, and goes on when it is there again",
  async () => {
    await using data = await tempFolder();
    await using own = await handlerFolder("own");
    await using joined = await handlerFolder("joined");
    const shared = [`--data-dir=${data.path}`, "--retry-base=1ms", ...freePorts];
    const main = [...shared, `--handlers=${own.path}`];
    await using first = await startThroughline([...main, "--broker-listen=127.0.0.1:0"]);
    const { queue_endpoint: endpoint = "" } = first.addresses;
    expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await using worker = await startThroughline(
      [...shared, "--role=worker", "--queue=sqs", `--handlers=${joined.path}`],
      {
        env: {
          AWS_ENDPOINT_URL_SQS: endpoint,
          AWS_REGION: "eu-central-1",
          AWS_ACCESS_KEY_ID: "any",
          AWS_SECRET_ACCESS_KEY: "any",
        },
      },
    );

    const runsIn = async (url: string | undefined, type: string): Promise<unknown> => {
      const { id } = await httpApi(url).submit({ type });
      const { status, result } = await httpApi(url).ended(id);
      return { status, result };
    };
    // Each has the handler of one type: what the other's worker receives, it puts back.
    const here = { status: "succeeded", result: first.pid };
    const there = { status: "succeeded", result: worker.pid };
    expect(await runsIn(first.addresses.gateway_url, "joined")).toEqual(there);
    expect(await runsIn(first.addresses.gateway_url, "own")).toEqual(here);
    const metrics = await (await fetch(`${first.addresses.admin_url}/metrics`)).text();
    const series = parsePrometheus(metrics).filter(({ name }) => name.startsWith("embedded_queue_"));
    expect(series.map(({ name }) => name).sort()).toEqual([
      "embedded_queue_memory_bytes",
      "embedded_queue_memory_limit_bytes",
      "embedded_queue_refused_total",
    ]);

    expect(await first.stop()).toBe(0);
    const { host } = new URL(endpoint);
    await using again = await startThroughline([...main, `--broker-listen=${host}`]);
    expect(again.addresses.queue_endpoint).toBe(endpoint);
    expect(await runsIn(again.addresses.gateway_url, "joined")).toEqual(there);
    expect(await worker.stop()).toBe(0);
  },
  limitMs,
);

test(
  "needs no signature, and an address that others can reach is warned of",
  async () => {
    await using data = await tempFolder();
    await using first = await startThroughline([
      `--data-dir=${data.path}`,
      ...freePorts,
      "--handlers=",
      "--broker-listen=0.0.0.0:0",
    ]);
    const { queue_endpoint: endpoint = "" } = first.addresses;
    expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const warned = first.logs().filter(({ msg }) => msg.includes("without authentication"));
    expect(warned).toMatchObject([{ address: "embedded queue", flag: "--broker-listen" }]);
    const answer = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ListQueues" },
      body: "{}",
    });
    const queues = ["task-events", "task-events-dlq"].map((name) => `${endpoint}/000000000000/${name}`);
    expect(await answer.json()).toEqual({ QueueUrls: queues });
  },
  limitMs,
);
