/** One task with all that is known of it. Pure. */

import { styles } from "../../terminal/style.ts";
import { type Canvas, type Column, type Fact, jsonText, renderFacts, renderTable } from "../../terminal/table.ts";
import { fullTime } from "../../terminal/times.ts";
import type { AttemptAnswer, TaskAnswer } from "../api-answers.ts";
import { failureText, styleOfStatus, tookText } from "../task-style.ts";

/** `more` stands below the status. */
export function renderTask(task: TaskAnswer, canvas: Canvas, nowMs: number, more: readonly Fact[] = []): string[] {
  const when = (time: string | null): string | null => time && fullTime(time, canvas, nowMs);
  const facts: Fact[] = [
    ["task", task.id, styles.bold],
    ["type", task.type],
    ["status", task.status, styleOfStatus(task.status)],
    ...more,
    ["error", failureText(task.error), styles.red],
    ["attempts", `${task.attempt} of ${task.max_attempts}`],
    ["created", when(task.created_at)],
    ["due", task.ended_at === null && task.run_at > task.created_at ? when(task.run_at) : null],
    ["started", when(task.started_at)],
    ["ended", when(task.ended_at)],
    ["took", tookText(task.started_at, task.ended_at)],
    ["trace", task.trace_id],
    ["correlation", task.correlation_id],
    [
      "metadata",
      Object.entries(task.metadata)
        .map(([name, value]) => `${name}=${value}`)
        .join("\n"),
    ],
    ["payload", jsonText(task.payload, canvas)],
    ["result", task.result === null ? null : jsonText(task.result, canvas)],
  ];
  const lines = renderFacts(facts, canvas);
  // One attempt that went well says nothing that does not stand above.
  const isPlain = task.attempts.length <= 1 && task.attempts.every(({ error }) => error === null);
  return isPlain ? lines : [...lines, "", ...renderTable(attemptColumns(task), task.attempts, canvas)];
}

function attemptColumns(task: TaskAnswer): Column<AttemptAnswer>[] {
  const hasOwnTraces = task.attempts.some(({ trace_id: traceId }) => traceId !== task.trace_id);
  return [
    { title: "ATTEMPT", cell: ({ number }) => String(number), isFigure: true },
    {
      title: "OUTCOME",
      cell: ({ outcome }) => outcome ?? "running",
      style: ({ outcome }) => (outcome === "succeeded" ? styles.green : outcome === null ? styles.cyan : styles.red),
    },
    { title: "TOOK", cell: (attempt) => tookText(attempt.started_at, attempt.ended_at), isFigure: true },
    { title: "ERROR", cell: ({ error }) => failureText(error), least: 16 },
    ...(hasOwnTraces ? [{ title: "TRACE", cell: (attempt: AttemptAnswer) => attempt.trace_id, spare: 2 }] : []),
    { title: "WORKER", cell: ({ worker }) => worker ?? "", style: () => styles.dim, least: 10, spare: 3 },
  ];
}
