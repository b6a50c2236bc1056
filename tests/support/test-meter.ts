/** A service's meter, and what its readers get. */

import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type DataPoint,
  MeterProvider,
  type MetricData,
  MetricReader,
} from "@opentelemetry/sdk-metrics";
import { createMeter, type Meter } from "../../src/telemetry/metrics/meter.ts";
import {
  type MetricFamily,
  type MetricsFormat,
  toFamilies,
  toMetricsText,
} from "../../src/telemetry/metrics/prometheus.ts";

export interface TestMeter {
  meter: Meter;
  families(): Promise<MetricFamily[]>;
  /** As a scrape has it. */
  text(format?: MetricsFormat): Promise<string>;
  /** The lines of the text that are no comments. */
  samples(): Promise<string[]>;
  /** A further reader of the same meter; gives the points of a metric each time that it is asked. */
  reader(temporality: AggregationTemporality): (name: string) => Promise<DataPoint<unknown>[]>;
}

/** Collects when it is asked. */
class TestReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export function startTestMeter(service: string): TestMeter {
  const meter = createMeter();
  const resource = resourceFromAttributes({ "service.name": service, "process.pid": 42 });
  const open = (temporality: AggregationTemporality): MetricReader => {
    const reader = new TestReader({ metricProducers: [meter.producer(() => temporality)] });
    new MeterProvider({ resource, readers: [reader] }).getMeter("test");
    return reader;
  };
  const scraper = open(AggregationTemporality.CUMULATIVE);
  const families = async (): Promise<MetricFamily[]> => toFamilies((await scraper.collect()).resourceMetrics);
  const text: TestMeter["text"] = async (format = "prometheus") => toMetricsText(await families(), format);
  return {
    meter,
    families,
    text,
    samples: async () => (await text()).split("\n").filter((line) => line !== "" && !line.startsWith("#")),
    reader: (temporality) => {
      const reader = open(temporality);
      return async (name) => {
        const { resourceMetrics } = await reader.collect();
        const metrics: MetricData[] = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
        return metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
      };
    },
  };
}
