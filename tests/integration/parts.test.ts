/** Each real part starts from its recipe and does what the tests that need it rely on. */

import { expect, test } from "bun:test";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
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
import { startCollector } from "../parts/collector.ts";
import { startDynamoDb } from "../parts/dynamodb.ts";
import { startElasticMq } from "../parts/elasticmq.ts";
import { type JaegerPart, startJaeger } from "../parts/jaeger.ts";
import { checkMetrics, startPrometheus } from "../parts/prometheus.ts";
import { type Fault, startToxiproxy } from "../parts/toxiproxy.ts";
import { eventually } from "../support/eventually.ts";
import { describeWith } from "../support/requires.ts";

const startingMs = 60_000;

const withCollector = describeWith("collector");
const withDynamoDb = describeWith("dynamodb");
const withElasticMq = describeWith("elasticmq");
const withJaeger = describeWith("jaeger");
const withPrometheus = describeWith("prometheus");
const withToxiproxy = describeWith("toxiproxy");

withDynamoDb("DynamoDB Local", () => {
  test(
    "answers, with nothing in it",
    async () => {
      await using dynamoDb = await startDynamoDb();
      const credentials = { accessKeyId: "test", secretAccessKey: "test" };
      const client = new DynamoDBClient({ endpoint: dynamoDb.url, region: "eu-west-1", credentials, maxAttempts: 1 });
      expect((await client.send(new ListTablesCommand())).TableNames).toEqual([]);
    },
    startingMs,
  );
});

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

withPrometheus("Prometheus", () => {
  test(
    "scrapes what it is told to, and keeps samples and exemplars",
    async () => {
      const traceId = "0af7651916cd43dd8448eb211c80319c";
      const text = [
        "# HELP waits_seconds Waits",
        "# TYPE waits_seconds histogram",
        `waits_seconds_bucket{le="+Inf"} 3 # {trace_id="${traceId}"} 0.5`,
        "waits_seconds_sum 1.5",
        "waits_seconds_count 3",
        "# EOF",
        "",
      ].join("\n");
      const headers = { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" };
      const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(text, { headers }) });
      await using prometheus = await startPrometheus([{ name: "waits", url: server.url.origin }]);
      const samples = await eventually(async () => {
        const found = await prometheus.query("waits_seconds_count");
        return found.length > 0 && found;
      });
      expect(samples).toMatchObject([{ labels: { job: "waits" }, value: 3 }]);
      expect(await prometheus.exemplars("waits_seconds_bucket")).toEqual([traceId]);
      await server.stop(true);
    },
    startingMs,
  );

  test("has a linter, which complains of what is wrong and of nothing else", async () => {
    expect(await checkMetrics("# HELP tasks_total Tasks\n# TYPE tasks_total counter\ntasks_total 1\n")).toBe("");
    expect(await checkMetrics("# TYPE tasks counter\ntasks 1\n")).toMatch(/"_total" suffix\n.*no help text/);
  });
});

withCollector("the collector", () => {
  test(
    "gives the metrics that it was sent to whoever scrapes it",
    async () => {
      await using collector = await startCollector();
      const point = { asDouble: 7, timeUnixNano: String(Date.now() * 1e6) };
      const metric = { name: "worker.threads", unit: "{thread}", gauge: { dataPoints: [point] } };
      const body = JSON.stringify({ resourceMetrics: [{ resource: {}, scopeMetrics: [{ metrics: [metric] }] }] });
      const headers = { "content-type": "application/json" };
      expect((await fetch(`${collector.url}/v1/metrics`, { method: "POST", headers, body })).status).toBe(200);
      const scrape = async () => (await fetch(`${collector.prometheusUrl}/metrics`)).text();
      expect(await eventually(async () => /^worker_threads\S* 7$/m.test(await scrape()))).toBe(true);
    },
    startingMs,
  );
});

withToxiproxy("Toxiproxy", () => {
  const anHourMs = 3_600_000;
  const holding: Fault[] = [
    { kind: "latency", latencyMs: anHourMs, jitterMs: 0 },
    { kind: "bandwidth", kilobytesPerSecond: 1 },
  ];
  test.each(holding)(
    "holds up answers that suffer from $kind, and gives them whole when that is over",
    async (fault) => {
      await using server = startServer();
      await using toxiproxy = await startToxiproxy();
      const [proxy, other] = await Promise.all([toxiproxy.proxy(server.url), toxiproxy.proxy(server.url)]);
      await proxy.add(fault);
      let isAnswered = false;
      const answered = ask(proxy.url).finally(() => {
        isAnswered = true;
      });
      await server.asked(1);
      expect(await ask(other.url)).toBe(server.answer);
      expect(isAnswered).toBe(false);
      await proxy.remove(fault.kind);
      expect(await answered).toBe(server.answer);
    },
    startingMs,
  );

  test(
    "resets the connection when the server answers, also one that was open before",
    async () => {
      await using server = startServer();
      await using toxiproxy = await startToxiproxy();
      const proxy = await toxiproxy.proxy(server.url);
      expect(await ask(proxy.url)).toBe(server.answer);
      await proxy.add({ kind: "reset" });
      expect(await ask(proxy.url)).toBe("ECONNRESET");
      await server.asked(2);
      await proxy.remove("reset");
      expect(await ask(proxy.url)).toBe(server.answer);
    },
    startingMs,
  );

  test(
    "accepts and never answers while half open, and then closes what was asked",
    async () => {
      await using server = startServer();
      await using toxiproxy = await startToxiproxy();
      const proxy = await toxiproxy.proxy(server.url);
      await proxy.add({ kind: "half_open" });
      const answered = ask(proxy.url);
      await server.asked(1);
      await proxy.remove("half_open");
      expect(await answered).toBe("ECONNRESET");
      expect(await ask(proxy.url)).toBe(server.answer);
    },
    startingMs,
  );

  test(
    "is down for one server alone, until it is reset",
    async () => {
      await using server = startServer();
      await using toxiproxy = await startToxiproxy();
      const [proxy, other] = await Promise.all([toxiproxy.proxy(server.url), toxiproxy.proxy(server.url)]);
      await proxy.add({ kind: "down" });
      expect([await ask(proxy.url), await ask(other.url)]).toEqual(["ECONNREFUSED", server.answer]);
      await toxiproxy.reset();
      expect(await ask(proxy.url)).toBe(server.answer);
    },
    startingMs,
  );

  test(
    "says what is wrong with what it is told",
    async () => {
      await using toxiproxy = await startToxiproxy();
      const proxy = await toxiproxy.proxy(toxiproxy.url);
      await expect(proxy.remove("reset")).rejects.toThrow("toxic not found");
    },
    startingMs,
  );
});

interface TestServer extends AsyncDisposable {
  url: string;
  /** Too long for one piece. */
  answer: string;
  /** Resolves once it has been asked that often. */
  asked(count: number): Promise<unknown>;
}

function startServer(): TestServer {
  const answer = "x".repeat(1024 * 1024);
  let asked = 0;
  const fetch = (): Response => {
    asked += 1;
    return new Response(answer);
  };
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch });
  return {
    url: server.url.origin,
    answer,
    asked: (count) => eventually(() => asked >= count),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** The answer, or the error's code. A POST is sent once, whatever becomes of its connection. */
async function ask(url: string): Promise<string> {
  try {
    return await (await fetch(url, { method: "POST" })).text();
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

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
