/** A DynamoDB table that throttles or is away: callers hear 503 and when to come again, and nothing accepted is lost. */

import { expect, test } from "bun:test";
import { startDynamoDb } from "../parts/dynamodb.ts";
import { openAwsDoor, type Refusal } from "../support/aws-door.ts";
import { awsVariables } from "../support/dynamo-store.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";

const limitMs = 180_000;
const recovery = { timeoutMs: 90_000 };

const refusals: [what: string, refusal: Refusal, opens: boolean][] = [
  ["throttles", { status: 400, code: "ThrottlingException" }, false],
  ["is out of service", { status: 503, code: "ServiceUnavailable" }, true],
];

async function isStoreRefused(adminUrl: string | undefined): Promise<boolean> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  return series.some(({ name, labels, value }) => {
    return name === "circuit_breaker_state" && labels.breaker === "store" && value !== 0;
  });
}

describeWith("dynamodb")("a table that", () => {
  test.each(refusals)(
    "%s is told by 503, and every task accepted before ends when that is over",
    async (_, refusal, opens) => {
      await using dynamo = await startDynamoDb();
      await using door = openAwsDoor(dynamo.url, "com.amazonaws.dynamodb.v20120810");
      const env = { ...awsVariables, AWS_ENDPOINT_URL_DYNAMODB: door.url };
      const flags = ["--store=dynamodb", "--visibility-timeout=5s", ...freePorts];
      await using process = await startThroughline(flags, { env });
      const { gateway_url: gatewayUrl, admin_url: adminUrl } = process.addresses;
      const api = httpApi(gatewayUrl);
      const accepted = await Promise.all(
        Array.from({ length: 10 }, () => api.submit({ type: "sleep", payload: { ms: 500 } })),
      );

      door.refuse(refusal);
      const headers = { "content-type": "application/json" };
      const answers: [status: number, isTold: boolean][] = [];
      const submit = async (): Promise<void> => {
        const answer = await fetch(`${gatewayUrl}/v1/tasks`, { method: "POST", headers, body: '{"type":"echo"}' });
        answers.push([answer.status, Number(answer.headers.get("retry-after")) > 0]);
      };
      for (let n = 0; n < 6; n++) await submit();
      expect(answers).toEqual(answers.map(() => [503, true]));
      if (opens) await eventually(() => isStoreRefused(adminUrl), recovery);

      door.refuse(undefined);
      const ended = await Promise.all(accepted.map(({ id }) => eventually(() => api.ended(id), recovery)));
      expect(new Set(ended.map(({ status }) => status))).toEqual(new Set(["succeeded"]));
      const again = await eventually(() => api.submit({ type: "echo", payload: 1 }), recovery);
      expect(await api.ended(again.id)).toMatchObject({ status: "succeeded" });
      await eventually(async () => !(await isStoreRefused(adminUrl)), recovery);
    },
    limitMs,
  );
});
