/**
 * Real Prometheus scrapes a process, and, in a second job, the Prometheus exporter of a real collector that the process
 * sends its metrics to: both ways have the same names, the same labels and the same values.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Instrument, instruments } from "../../src/telemetry/metrics/instruments.ts";
import { labelOf } from "../../src/telemetry/metrics/prometheus.ts";
import { startCollector } from "../parts/collector.ts";
import { checkMetrics, type PrometheusPart, type Sample, startPrometheus } from "../parts/prometheus.ts";
import { processedOfFates, runFates } from "../support/counted-fates.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";

const limitMs = 180_000;
const settleMs = 60_000;

/** The resource of a role, which the collector makes labels of, and what both add for the place that was scraped. */
const placeLabels =
  /^(job|instance|exported_.*|otel_scope_.*|telemetry_sdk_.*|process_(pid|runtime_.*)|host_name|deployment_environment_name|service_(namespace|version|instance_id))$/;

/** What goes on when no task does: it is never the same in two scrapes. */
const moving = /^(process_|otel_sdk_|task_oldest_age_|db_client_connection_)/;

/** Of the scrape itself, and of the resource. */
const foreign = /^(up|scrape_.*|target_info)$/;

/** `name{labels}` to value. */
type Values = Record<string, number>;

describeWith("collector", "prometheus")("Prometheus", () => {
  const stack = new AsyncDisposableStack();
  let throughline: ThroughlineProcess;
  let prometheus: PrometheusPart;

  beforeAll(async () => {
    const collector = stack.use(await startCollector());
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_METRIC_EXPORT_INTERVAL: "1000" };
    const flags = ["--threads=1", "--visibility-timeout=2s", "--retry-base=1ms", ...freePorts];
    throughline = stack.use(await startThroughline(flags, { env, command: "source" }));
    prometheus = stack.use(
      await startPrometheus([
        { name: "process", url: throughline.addresses.admin_url ?? "" },
        { name: "collector", url: collector.prometheusUrl },
      ]),
    );
    await runFates(throughline.addresses.gateway_url);
  }, limitMs);
  afterAll(() => stack.disposeAsync(), limitMs);

  const seriesOf = async (job: string): Promise<Values> => {
    const samples = await prometheus.query(`{job="${job}"}`);
    const own = samples.filter(({ labels }) => !foreign.test(labels.__name__ ?? ""));
    return Object.fromEntries(own.map((sample) => [nameOf(sample), sample.value]));
  };

  test(
    "has the same series with the same values by both ways, once all work is done",
    async () => {
      const [scraped, exported] = await eventually(
        async () => {
          const both = await Promise.all([seriesOf("process"), seriesOf("collector")]);
          const [one = {}, other = {}] = both.map(still);
          expect(other).toEqual(one);
          expect(Object.keys(both[1]).toSorted()).toEqual(Object.keys(both[0]).toSorted());
          return Object.keys(one).length > 300 && both;
        },
        { timeoutMs: settleMs },
      );
      expect(Object.values(instruments).filter((each) => !hasInstrument(scraped, each))).toEqual([]);
      expect(Object.values(instruments).filter((each) => !hasInstrument(exported, each))).toEqual([]);
    },
    limitMs,
  );

  test(
    "counts the tasks as they went",
    async () => {
      const counted = await prometheus.query('sum by (status, task_type) (tasks_processed_total{job="collector"})');
      const counts: Record<string, Record<string, number>> = {};
      for (const { labels, value } of counted) {
        const { status = "", task_type: type = "" } = labels;
        counts[status] = { ...counts[status], [type]: value };
      }
      expect(counts).toEqual(processedOfFates);
    },
    limitMs,
  );

  test(
    "counts what became of the telemetry, and all of it was exported",
    async () => {
      for (const signal of ["span", "log"]) {
        const dropped = await prometheus.query(`otel_sdk_processor_${signal}_processed_total{error_type!=""}`);
        expect(dropped).toEqual([]);
        for (const job of ["process", "collector"]) {
          const exported = await prometheus.query(`sum(otel_sdk_exporter_${signal}_exported_total{job="${job}"})`);
          expect(exported[0]?.value).toBeGreaterThan(20);
        }
      }
    },
    limitMs,
  );

  test(
    "keeps exemplars by both ways that lead to traces",
    async () => {
      const tasks = throughline.logs().filter(({ task_id: id }) => id !== undefined);
      const known = new Set(tasks.map(({ trace_id: id }) => id));
      for (const job of ["process", "collector"]) {
        const traces = await eventually(async () => {
          const found = await prometheus.exemplars(`task_processing_duration_seconds_bucket{job="${job}"}`);
          return found.length > 0 && found;
        });
        expect(traces.filter((id) => !known.has(id))).toEqual([]);
      }
    },
    limitMs,
  );

  test(
    "has no complaint about a scrape",
    async () => {
      const answer = await fetch(`${throughline.addresses.admin_url}/metrics`);
      expect(await checkMetrics(await answer.text())).toBe("");
    },
    limitMs,
  );
});

function nameOf({ labels: { __name__: name = "", ...labels } }: Sample): string {
  const own = Object.entries(labels).filter(([label]) => !placeLabels.test(label));
  return `${name}{${own.map(([label, value]) => `${label}="${value}"`).toSorted()}}`;
}

function still(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !moving.test(name)));
}

function hasInstrument(values: Values, { name, kind }: Instrument): boolean {
  const start = kind === "counter" ? `${labelOf(name)}_total{` : labelOf(name);
  return Object.keys(values).some((each) => each.startsWith(start));
}
