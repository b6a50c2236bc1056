/** Each real part starts from its recipe and does what the tests that need it rely on. */

import { expect, test } from "bun:test";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { startElasticMq } from "../parts/elasticmq.ts";
import { type JaegerPart, startJaeger } from "../parts/jaeger.ts";
import { eventually } from "../support/eventually.ts";
import { describeWith } from "../support/requires.ts";

const startingMs = 60_000;

const withElasticMq = describeWith("elasticmq");
const withJaeger = describeWith("jaeger");

withElasticMq("ElasticMQ", () => {
  test(
    "takes a message, gives it once and forgets it when deleted",
    async () => {
      await using elasticMq = await startElasticMq();
      const sqs = sqsClient(elasticMq.url);
      const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "tasks" }));
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "hello" }));

      const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, VisibilityTimeout: 0 }));
      expect(Messages?.map((message) => message.Body)).toEqual(["hello"]);
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages?.[0]?.ReceiptHandle }));

      const after = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
      expect(after.Messages ?? []).toEqual([]);
    },
    startingMs,
  );

  test(
    "starts again on its port with the queues of its settings, and nothing else",
    async () => {
      await using elasticMq = await startElasticMq({ conf: "queues { configured {} }" });
      const sqs = sqsClient(elasticMq.url);
      await sqs.send(new CreateQueueCommand({ QueueName: "tasks" }));
      const { pid } = elasticMq;

      await elasticMq.restart();

      const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: "configured" }));
      const { QueueUrls } = await sqs.send(new ListQueuesCommand({}));
      expect(QueueUrls).toEqual([String(QueueUrl)]);
      expect(elasticMq.pid).not.toBe(pid);
    },
    startingMs,
  );

  test(
    "answers no more once stopped",
    async () => {
      const elasticMq = await startElasticMq();
      await elasticMq.stop();
      await elasticMq.stop();
      await expect(sqsClient(elasticMq.url).send(new ListQueuesCommand({}))).rejects.toThrow();
    },
    startingMs,
  );
});

withJaeger("Jaeger", () => {
  test(
    "gives back the span that it was sent, and two at once know nothing of each other",
    async () => {
      await using jaeger = await startJaeger();
      await using other = await startJaeger();
      const traceId = await sendSpan(jaeger, "POST /v1/tasks");

      const operations = await eventually(async () => (await operationsOf(jaeger, traceId)) ?? false);

      expect(operations).toEqual(["POST /v1/tasks"]);
      expect(await operationsOf(other, traceId)).toBeUndefined();
    },
    startingMs,
  );
});

function sqsClient(endpoint: string): SQSClient {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  return new SQSClient({ endpoint, region: "elasticmq", credentials, maxAttempts: 1 });
}

async function sendSpan(jaeger: JaegerPart, name: string): Promise<string> {
  const exporter = new OTLPTraceExporter({ url: `${jaeger.otlpUrl}/v1/traces` });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "parts-test" }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const span = provider.getTracer("parts-test").startSpan(name);
  span.end();
  await provider.shutdown();
  return span.spanContext().traceId;
}

/** The operation names of a trace's spans; undefined while Jaeger does not know the trace. */
async function operationsOf(jaeger: JaegerPart, traceId: string): Promise<string[] | undefined> {
  const response = await fetch(`${jaeger.url}/api/traces/${traceId}`);
  if (response.status === 404) {
    return undefined;
  }
  // Jaeger's own answer: its shape is what this test is about.
  const body = (await response.json()) as { data: { spans: { operationName: string }[] }[] };
  return body.data.flatMap((trace) => trace.spans.map((span) => span.operationName));
}
