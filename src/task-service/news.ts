/** Reports tasks as they are made and canceled: counts them, logs a line in their trace, publishes an event. */

import type { Context } from "@opentelemetry/api";
import type { TaskTypes } from "../store/ports/types.ts";
import type { Fields, Logger } from "../telemetry/logs/log.ts";
import { createTaskMetrics } from "../telemetry/metrics/task-metrics.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { TaskRecord } from "../words/task.ts";

type ReportedTask = Pick<TaskRecord, "id" | "type" | "status" | "correlationId">;

export interface News {
  /** For lines about a task, in its trace. */
  logOf(task: Omit<ReportedTask, "status">, context: Context): Logger;
  /** A task was committed. */
  made(task: ReportedTask, context: Context, atMs: number, fields?: Fields): void;
  canceled(task: ReportedTask, context: Context, atMs: number): void;
}

export function createNews({ meter, log, events }: Telemetry, types: Pick<TaskTypes, "labelOf">): News {
  const metrics = createTaskMetrics(meter);
  const logOf: News["logOf"] = ({ id, type, correlationId }, context) =>
    log.in(context).with({ correlation_id: correlationId, task_id: id, task_type: type });

  return {
    logOf,
    made: (task, context, atMs, fields) => {
      metrics.processed(types.labelOf(task.type), "submitted");
      logOf(task, context).info("task created", { status: task.status, ...fields });
      events.publish("task.created", atMs);
    },
    canceled: (task, context, atMs) => {
      metrics.processed(types.labelOf(task.type), "canceled");
      logOf(task, context).info("task canceled", { status: task.status });
      events.publish("task.canceled", atMs);
    },
  };
}
