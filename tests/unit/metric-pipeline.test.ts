import { describe, expect, test } from "bun:test";
import { fromBinary } from "@bufbuild/protobuf";
import { AggregationTemporality, InstrumentType } from "@opentelemetry/sdk-metrics";
import { ExportMetricsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { encodeMetrics } from "../../src/otlp/metric.ts";
import { toRequest } from "../../src/otlp/request.ts";
import { instruments } from "../../src/telemetry/metrics/instruments.ts";
import { createMeter, type Meter } from "../../src/telemetry/metrics/meter.ts";
import { createMetricExporter } from "../../src/telemetry/metrics/metric-pipeline.ts";
import { eventually } from "../support/eventually.ts";

const first = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
const second = { ...first, traceId: "4bf92f3577b34da6a3ce929d0e0e4736" };

/** What would be sent: each histogram's name, labels and exemplars. */
function sender(meter: Meter, temporality: AggregationTemporality, hasExemplars = true) {
  const producer = meter.producer(() => temporality);
  return async () => {
    const { resourceMetrics } = await producer.collect();
    const bytes = toRequest(encodeMetrics(resourceMetrics, { hasExemplars }));
    const { resourceMetrics: sent } = fromBinary(ExportMetricsServiceRequestSchema, bytes);
    return sent
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
      .flatMap(({ name, data }) =>
        data.case !== "histogram"
          ? []
          : data.value.dataPoints.map(({ exemplars, count }) => ({
              name,
              count: Number(count),
              traces: exemplars.map(({ traceId }) => Buffer.from(traceId).toString("hex")),
              values: exemplars.map(({ value }) => value.value),
            })),
      );
  };
}

describe("metrics leave by OTLP", () => {
  test("with the exemplars of their own histogram", async () => {
    const meter = createMeter();
    meter.counter(instruments.taskClaims).add(1, "won");
    meter.histogram(instruments.queueWait).record(0.001, first, "echo");
    meter.histogram(instruments.queueWait).record(20, second, "echo");
    meter.histogram(instruments.queueWait).record(20, undefined, "fail");
    meter.histogram(instruments.endToEnd).record(3, second, "echo");
    expect(await sender(meter, AggregationTemporality.CUMULATIVE)()).toEqual([
      { name: "task_queue_wait", count: 2, traces: [first.traceId, second.traceId], values: [0.001, 20] },
      { name: "task_queue_wait", count: 1, traces: [], values: [] },
      { name: "task_end_to_end_duration", count: 1, traces: [second.traceId], values: [3] },
    ]);
  });

  test("with those only that came since the last time, when that is all that is sent", async () => {
    const meter = createMeter();
    const send = sender(meter, AggregationTemporality.DELTA);
    meter.histogram(instruments.queueWait).record(0.001, first, "echo");
    const recordedMs = Date.now();
    await eventually(() => Date.now() > recordedMs);
    expect(await send()).toMatchObject([{ count: 1, traces: [first.traceId] }]);
    meter.histogram(instruments.queueWait).record(20, second, "echo");
    expect(await send()).toMatchObject([{ count: 1, traces: [second.traceId] }]);
  });

  test("without exemplars to the console, which draws none", async () => {
    const meter = createMeter();
    meter.histogram(instruments.queueWait).record(0.001, first, "echo");
    const send = sender(meter, AggregationTemporality.CUMULATIVE, false);
    expect(await send()).toMatchObject([{ count: 1, traces: [] }]);
  });

  test.each([
    ["cumulative", []],
    ["delta", ["COUNTER", "GAUGE", "HISTOGRAM", "OBSERVABLE_COUNTER", "OBSERVABLE_GAUGE"]],
    ["lowmemory", ["COUNTER", "HISTOGRAM"]],
  ] as const)("with the preference %s, as differences of %p", (preference, types) => {
    const exporter = createMetricExporter("http://127.0.0.1:4318/v1/metrics", preference);
    const deltas = Object.values(InstrumentType).filter(
      (type) => exporter.selectAggregationTemporality(type) === AggregationTemporality.DELTA,
    );
    expect(deltas.map(String).toSorted()).toEqual([...types]);
  });
});
