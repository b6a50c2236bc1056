/** Metrics as the console receives them from the roles. */

import type { Distribution, MetricPoint, ReceivedMetric, Temporality } from "../../src/otlp/metric.ts";
import { instruments } from "../../src/telemetry/metrics/instruments.ts";

/** One role of a process. */
export function roleResource(service: string, instance = service) {
  return {
    "service.name": service,
    "service.namespace": "throughline",
    "service.instance.id": instance,
    "service.version": "1.2.3",
    "host.name": "here",
    "process.pid": 7,
    "process.runtime.name": "bun",
    "process.runtime.version": "1.4.5",
    "deployment.environment.name": "development",
  };
}

export type Sender = (atMs: number, sinceMs?: number) => RoleMetrics;

interface RoleMetrics {
  tasks(status: string, total: number, temporality?: Temporality): ReceivedMetric;
  queueWait(bucketCounts: number[]): ReceivedMetric;
  gauge(name: string, ...points: [value: number, attributes?: Record<string, string>][]): ReceivedMetric;
}

/** `sinceMs`: when the role began to count. */
export function senderOf(service: string, instance = service): Sender {
  const resource = roleResource(service, instance);
  return (atMs, sinceMs = atMs) => {
    const head = (name: string) => ({ service, resource, name, description: "", unit: "" });
    const point = <Value>(value: Value, attributes = {}): MetricPoint<Value> => ({ sinceMs, atMs, attributes, value });
    return {
      tasks: (status, total, temporality = "cumulative") => ({
        ...head(instruments.tasksProcessed.name),
        type: "sum",
        monotonic: true,
        temporality,
        points: [point(total, { task_type: "echo", status })],
      }),
      queueWait: (bucketCounts) => {
        const count = bucketCounts.reduce((sum, each) => sum + each, 0);
        const value: Distribution = { count, sum: 0, bounds: [...instruments.queueWait.buckets], bucketCounts };
        const points = [point(value, { task_type: "echo" })];
        return { ...head(instruments.queueWait.name), type: "histogram", temporality: "cumulative", points };
      },
      gauge: (name, ...points) => ({
        ...head(name),
        type: "gauge",
        points: points.map(([value, attributes]) => point(value, attributes)),
      }),
    };
  };
}
