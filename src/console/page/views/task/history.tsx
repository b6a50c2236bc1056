/** What a task went through: its attempts, and every change of its state. */

import { formatDuration } from "../../../../terminal/times.ts";
import { nowMs } from "../../live.ts";
import { ClockTime, Duration, toRelative } from "../../parts/time.tsx";
import { type Attempt, Status, type Task, type TimelineEntry } from "../../task.tsx";

export function Attempts({ task }: { task: Task }) {
  const isWaiting = task.status === "retrying" || task.status === "scheduled";
  return (
    <section class="card">
      <h2>Attempts</h2>
      {task.attempts.length === 0 && <p class="quiet">None so far.</p>}
      <ol class="attempts">
        {task.attempts.map((attempt) => (
          <Row key={`${attempt.number} ${attempt.started_at}`} attempt={attempt} />
        ))}
        {isWaiting && (
          <li>
            <b class="number">{task.attempt + 1}</b>
            <span>
              The next one{" "}
              <time dateTime={task.run_at}>
                {toRelative(Math.max(nowMs.value, Date.parse(task.run_at)), nowMs.value)}
              </time>
            </span>
          </li>
        )}
      </ol>
    </section>
  );
}

function Row({ attempt }: { attempt: Attempt }) {
  const { number, started_at, ended_at, outcome, error, trace_id, worker } = attempt;
  const took = ended_at ? formatDuration(Date.parse(ended_at) - Date.parse(started_at)) : "it runs";
  return (
    <li>
      <b class="number">{number}</b>
      <div>
        <p>
          <span class={outcome === "succeeded" ? "good" : outcome === null ? "run" : "bad"}>
            {outcome ?? "running"}
          </span>{" "}
          <span class="quiet">
            <ClockTime at={started_at} /> · {took}
          </span>
        </p>
        {error && (
          <p class="attempt-error">
            <b>{error.type}</b> {error.message}
          </p>
        )}
        <p class="quiet small">
          <a href={`/traces/${trace_id}`}>trace {trace_id.slice(0, 8)}</a>
          {worker && ` · ${worker}`}
        </p>
      </div>
    </li>
  );
}

/** Every change of a task's state, the oldest first. */
export function Timeline({ entries }: { entries: readonly TimelineEntry[] }) {
  return (
    <section class="card">
      <h2>Timeline</h2>
      <ol class="timeline">
        {entries.map((entry) => (
          <li key={`${entry.at} ${entry.to} ${entry.attempt}`}>
            <ClockTime at={entry.at} />
            <Status status={entry.to} />
            <span class="quiet small">
              {entry.service}
              {entry.from && (
                <>
                  {", after "}
                  <Duration ms={entry.duration_ms} /> {entry.from}
                </>
              )}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
