/** A broker that answers, but not what one hopes for: tasks are accepted all the same, and none is lost. */

import { describe, expect, test } from "bun:test";
import { startEmbeddedBroker } from "../../src/queue/embedded.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;
const recovery = { timeoutMs: 60_000 };

/** What the broker says in place of an answer, in the AWS JSON protocol. */
interface Refusal {
  status: number;
  code: string;
}

const refusals: [what: string, refusal: Refusal, opens: boolean][] = [
  ["throttles", { status: 400, code: "RequestThrottled" }, false],
  ["has credentials for expired", { status: 403, code: "ExpiredTokenException" }, false],
  ["finds the clock of the caller wrong", { status: 403, code: "RequestTimeTooSkewed" }, false],
  ["is out of service", { status: 503, code: "ServiceUnavailable" }, true],
];

/** A system on a broker behind a door that can refuse every call. */
async function startBehindDoor() {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await tempFolder());
  const broker = await startEmbeddedBroker(path, 0);
  stack.defer(() => broker.stop());
  let refusal: Refusal | undefined;
  let refused = 0;
  const door = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const body = await request.bytes();
      if (!refusal) return fetch(`${broker.endpoint}/`, { method: "POST", headers: request.headers, body });
      refused += 1;
      const headers = { "content-type": "application/x-amz-json-1.0" };
      const text = JSON.stringify({ __type: `com.amazonaws.sqs#${refusal.code}`, message: "not now" });
      return new Response(text, { status: refusal.status, headers });
    },
  });
  stack.defer(() => door.stop(true));
  const env = {
    AWS_ENDPOINT_URL_SQS: door.url.origin,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
  const process = stack.use(await startThroughline(["--queue=sqs", ...freePorts], { env }));
  const owned = stack.move();
  return {
    api: httpApi(process.addresses.gateway_url),
    adminUrl: process.addresses.admin_url,
    refused: () => refused,
    refuse: (next: Refusal | undefined) => {
      refusal = next;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openBreakers({ adminUrl }: { adminUrl: string | undefined }): Promise<number> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  return series.filter(({ name, value }) => name === "circuit_breaker_state" && value !== 0).length;
}

describe("a broker that", () => {
  test.each(refusals)(
    "%s keeps no caller from a 202, and every task runs once when that is over",
    async (_, refusal, opens) => {
      await using behind = await startBehindDoor();
      const { api } = behind;
      const first = await api.submit({ type: "echo", payload: "before" });
      expect(await api.ended(first.id)).toMatchObject({ status: "succeeded" });

      behind.refuse(refusal);
      const accepted = await Promise.all(
        Array.from({ length: 20 }, (_none, number) => api.submit({ type: "echo", payload: number })),
      );
      await eventually(() => behind.refused() > 20);
      if (opens) await eventually(async () => (await openBreakers(behind)) > 0, recovery);
      else expect(await openBreakers(behind)).toBe(0);

      behind.refuse(undefined);
      const ended = await Promise.all(accepted.map(({ id }) => api.ended(id)));
      expect(ended.map(({ status, result, attempts }) => [status, result, attempts.length])).toEqual(
        accepted.map((_task, number) => ["succeeded", number, 1]),
      );
      await eventually(async () => (await openBreakers(behind)) === 0, recovery);
    },
    limitMs,
  );
});
