/** A broker that answers, but not what one hopes for: tasks are accepted all the same, and none is lost. */

import { describe, expect, test } from "bun:test";
import type { Refusal } from "../support/aws-door.ts";
import { startBrokerDoor } from "../support/broker-door.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { freePorts, startThroughline } from "../support/process.ts";

const limitMs = 120_000;
const recovery = { timeoutMs: 60_000 };

const refusals: [what: string, refusal: Refusal, opens: boolean][] = [
  ["throttles", { status: 400, code: "RequestThrottled" }, false],
  ["has credentials for expired", { status: 403, code: "ExpiredTokenException" }, false],
  ["finds the clock of the caller wrong", { status: 403, code: "RequestTimeTooSkewed" }, false],
  ["is out of service", { status: 503, code: "ServiceUnavailable" }, true],
];

async function openBreakers(adminUrl: string | undefined): Promise<number> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  return series.filter(({ name, value }) => name === "circuit_breaker_state" && value !== 0).length;
}

describe("a broker that", () => {
  test.each(refusals)(
    "%s keeps no caller from a 202, and every task runs once when that is over",
    async (_, refusal, opens) => {
      await using door = await startBrokerDoor();
      await using process = await startThroughline(["--queue=sqs", ...freePorts], { env: door.env });
      const { gateway_url: gatewayUrl, admin_url: adminUrl } = process.addresses;
      const api = httpApi(gatewayUrl);
      const first = await api.submit({ type: "echo", payload: "before" });
      expect(await api.ended(first.id)).toMatchObject({ status: "succeeded" });

      door.refuse(refusal);
      const accepted = await Promise.all(
        Array.from({ length: 20 }, (_none, number) => api.submit({ type: "echo", payload: number })),
      );
      await eventually(() => door.refused() > 20);
      if (opens) await eventually(async () => (await openBreakers(adminUrl)) > 0, recovery);
      else expect(await openBreakers(adminUrl)).toBe(0);

      door.refuse(undefined);
      const ended = await Promise.all(accepted.map(({ id }) => api.ended(id)));
      expect(ended.map(({ status, result, attempts }) => [status, result, attempts.length])).toEqual(
        accepted.map((_task, number) => ["succeeded", number, 1]),
      );
      await eventually(async () => (await openBreakers(adminUrl)) === 0, recovery);
    },
    limitMs,
  );
});
