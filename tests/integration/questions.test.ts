/** The searches that docs/questions.md tells people to type find what they are to find, on real servers. */

import { beforeAll, expect, test } from "bun:test";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { startJaeger } from "../parts/jaeger.ts";
import { type PrometheusPart, type Sample, startPrometheus } from "../parts/prometheus.ts";
import { fateFlags, runFates } from "../support/counted-fates.ts";
import { deadLettersAt } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { spansFound, spansOfTrace } from "../support/jaeger-spans.ts";
import { startObservedSystem } from "../support/observed-system.ts";
import { questionsIn, toJaegerQuery } from "../support/questions.ts";
import { describeWith } from "../support/requires.ts";
import { type LogLine, startTestSystem } from "../support/system.ts";

const limitMs = 120_000;
const correlationId = "order-4711";

interface Search {
  text: string;
  spans: ReceivedSpan[];
}

describeWith("jaeger")("a task that died and was brought back, in Jaeger", () => {
  let taskId: string;
  let searches: Search[];
  let lines: LogLine[];
  let spansOf: (traceId: string) => ReceivedSpan[];

  beforeAll(async () => {
    await using jaeger = await startJaeger();
    let isBroken = true;
    await using site = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(null, { status: isBroken ? 500 : 200 }),
    });
    const flags = { retryBase: "1ms" };
    await using system = await startTestSystem(flags, { OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpUrl });
    const body = { type: "http", payload: { url: site.url.href }, max_attempts: 2 };
    const dead = await system.accept(body, { "x-correlation-id": correlationId });
    taskId = dead.id;
    expect((await system.task(taskId, "20s")).status).toBe("dead");
    isBroken = false;
    await deadLettersAt(system.url).redriven({ ids: [taskId] });
    await eventually(async () => (await system.task(taskId, "20s")).status === "succeeded");
    // One that is nobody's question.
    const other = await system.accept({ type: "echo", payload: 1 });
    await system.task(other.id, "20s");
    ({ lines } = system);
    await system.system.drain();
    searches = [];
    for (const text of questionsIn("jaeger", { TASK_ID: taskId, CORRELATION_ID: correlationId })) {
      // Jaeger puts away what it was sent after it has answered.
      const spans = await eventually(async () => {
        const found = await spansFound(jaeger.url, toJaegerQuery(text));
        return found.length > 0 && found;
      });
      searches.push({ text, spans });
    }
    const traces = new Set(searches.flatMap(({ spans }) => spans).map(({ traceId }) => traceId));
    const whole = new Map<string, ReceivedSpan[]>();
    for (const traceId of traces) whole.set(traceId, await spansOfTrace(jaeger.url, traceId));
    spansOf = (traceId) => whole.get(traceId) ?? [];
  }, limitMs);

  test("is found by every search that names it, and nothing else is", () => {
    const named = searches.filter(({ text }) => text.includes(taskId) || text.includes(correlationId));
    expect(named.length).toBeGreaterThan(4);
    for (const { text, spans } of named) {
      const tasks = new Set(spans.flatMap(({ attributes }) => attributes.task_id ?? []));
      expect({ text, tasks }).toEqual({ text, tasks: new Set([taskId]) });
    }
  });

  test("is found by the searches for what fails and what is slow", () => {
    const others = searches.filter(({ text }) => !text.includes(taskId) && !text.includes(correlationId));
    expect(others.map(({ spans }) => spans.some(({ attributes }) => attributes.task_id === taskId))).toEqual(
      others.map(() => true),
    );
  });

  test("tells in its error spans why it failed", () => {
    const [failures] = searches.filter(({ text }) => text.includes("error=true"));
    const runs = failures?.spans.filter(({ name, status }) => name === "run http" && status.code === "ERROR") ?? [];
    expect(runs.map(({ events }) => events.map(({ attributes }) => attributes["exception.message"]))).toEqual([
      [expect.stringContaining("answered 500")],
      [expect.stringContaining("answered 500")],
    ]);
  });

  test("leads by a link from its new trace to the one in which it died", () => {
    const [search] = searches.filter(({ text }) => text.includes("redrive tasks"));
    const redrive = search?.spans.find(({ name }) => name === "redrive tasks");
    const linked = redrive?.links.flatMap(({ traceId, spanId }) =>
      spansOf(traceId).filter((span) => span.spanId === spanId),
    );
    expect(linked?.map(({ name, attributes }) => [name, attributes.task_id])).toEqual([
      ["process task-events-dlq", taskId],
      ["tasks.TaskService/CreateTask", taskId],
    ]);
    const [before] = linked ?? [];
    expect(spansOf(before?.traceId ?? "").map(({ name }) => name)).toContain("POST /v1/tasks");
    expect(before?.traceId).not.toBe(redrive?.traceId);
  });

  test("is told in its log lines too", () => {
    for (const filter of questionsIn("jq", { TASK_ID: taskId, CORRELATION_ID: correlationId })) {
      const found = jq(filter, lines);
      expect(found.length).toBeGreaterThan(1);
      expect(new Set(found.map(({ task_id }) => task_id))).toEqual(new Set([taskId]));
    }
  });
});

describeWith("prometheus")("the expressions for Prometheus", () => {
  test(
    "have numbers for an answer, once there was work",
    async () => {
      await using system = await startObservedSystem(fateFlags);
      await using prometheus = await startPrometheus([{ name: "throughline", url: system.adminUrl }]);
      const asked = questionsIn("promql", { TASK_ID: "", CORRELATION_ID: "" });
      expect(asked.length).toBeGreaterThan(15);
      // What began with the first round grows in the second: a rate needs both.
      for (let round = 0; round < 2; round++) {
        await runFates(system.url);
        await scrapedSince(prometheus);
      }
      for (const expression of asked) {
        const samples = await prometheus.query(expression);
        expect({ expression, answered: samples.length > 0 && samples.some(isNumber) }).toEqual({
          expression,
          answered: true,
        });
      }
    },
    limitMs,
  );
});

/** Resolves once everything that has happened by now was scraped. */
async function scrapedSince(prometheus: PrometheusPart): Promise<void> {
  const nowSeconds = Date.now() / 1000;
  await eventually(async () => {
    const [scrape] = await prometheus.query('min(timestamp(up{job="throughline"}))');
    return scrape !== undefined && scrape.value > nowSeconds;
  });
}

function isNumber({ value }: Sample): boolean {
  return Number.isFinite(value);
}

/** jq's `select` of equalities and inequalities, which is all that the page uses. */
function jq(filter: string, lines: readonly LogLine[]): LogLine[] {
  const conditions = [...filter.matchAll(/\.(\w+) (==|!=) "([^"]*)"/g)];
  expect(filter.startsWith("select(")).toBe(true);
  return lines.filter((line) =>
    conditions.every(([, field = "", operator, value]) => (line[field] === value) === (operator === "==")),
  );
}
