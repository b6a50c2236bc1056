/** The view of one task: what it is, what it did, and all its traces as one waterfall, while it runs and afterwards. */

import { useState } from "preact/hooks";
import { isNull, layOut, textOf, writeJson } from "../../../words/json-text.ts";
import type { TaskTraceView } from "../../task-trace-view.ts";
import { type Answered, ask, useAnswer, useLoaded } from "../api.ts";
import { addressOf } from "../location.ts";
import { CopyButton } from "../parts/controls.tsx";
import { Duration, Time } from "../parts/time.tsx";
import { Empty, PageHead, Problem } from "../parts/view.tsx";
import { useShortcuts } from "../shortcuts.ts";
import {
  cancelTasks,
  currentError,
  isCancelable,
  isUnderway,
  knownTypes,
  ranMs,
  Status,
  type Task,
  type TimelineEntry,
  waitedMs,
} from "../task.tsx";

import { Waterfall } from "../waterfall/waterfall.tsx";
import { Attempts, Timeline } from "./task/history.tsx";
import { SubmitDialog } from "./tasks/submit-dialog.tsx";

const everyMs = 1000;
/** Telemetry comes in batches: more of it may come for so long after the end. */
const lateTelemetryMs = 15_000;

export function TaskPage({ id }: { id: string }) {
  const [isOver, setOver] = useState(false);
  const path = `/tasks/${encodeURIComponent(id)}`;
  const task = useAnswer<Task>(path, { everyMs: isOver ? 0 : everyMs });
  const timeline = useAnswer<{ items: TimelineEntry[] }>(`${path}/timeline`, { everyMs: isOver ? 0 : everyMs });
  const trace = useLoaded(id, (signal) => loadTrace(id, signal), { everyMs: isOver ? 0 : 2 * everyMs });
  const [isSubmitting, setSubmitting] = useState(false);
  const shown = task.data;
  if (shown && isOver === mayChange(shown)) setOver(!isOver);

  const cancel = async (): Promise<void> => {
    await cancelTasks([id]);
    task.again();
    timeline.again();
  };
  useShortcuts([
    { keys: "n", title: "Submit one like it", act: () => setSubmitting(true) },
    { keys: "c", title: "Copy the id", act: () => void navigator.clipboard.writeText(id) },
  ]);

  if (!shown) return <NoTask id={id} task={task} />;
  const error = currentError(shown);
  return (
    <>
      <PageHead
        title={
          <span class="task-title">
            {shown.type} <Status status={shown.status} />
          </span>
        }
      >
        <CopyButton what="JSON" label="Copy JSON" text={() => layOut(writeJson(shown))} />
        <button type="button" onClick={() => setSubmitting(true)}>
          Submit again
        </button>
        <button type="button" class="danger" disabled={!isCancelable(shown)} onClick={cancel}>
          Cancel
        </button>
      </PageHead>
      {task.problem && <Problem problem={task.problem} again={task.again} />}
      <Facts task={shown} />
      {error && (
        <p class="task-error">
          <b>{error.type}</b> {error.message}
        </p>
      )}
      <TraceSection trace={trace} />
      <div class="task-columns">
        <div>
          <JsonBlock title="Payload" value={shown.payload} />
          <JsonBlock title="Result" value={shown.result} none={isUnderway(shown) ? "None so far." : "None."} />
          {Object.keys(shown.metadata).length > 0 && <JsonBlock title="Metadata" value={shown.metadata} />}
        </div>
        <div>
          <Attempts task={shown} />
          <Timeline entries={timeline.data?.items ?? []} />
        </div>
      </div>
      {isSubmitting && (
        <SubmitDialog
          types={knownTypes([shown])}
          type={shown.type}
          payload={shown.payload}
          onClose={() => setSubmitting(false)}
        />
      )}
    </>
  );
}

/** null: no telemetry so far, which is no error while it is on its way. */
async function loadTrace(id: string, signal: AbortSignal): Promise<TaskTraceView | null> {
  const query = { task_id: id, limit: "1" };
  const { items } = await ask<{ items: unknown[] }>(addressOf("/traces", query), signal);
  return items.length > 0 ? ask<TaskTraceView>(`/tasks/${encodeURIComponent(id)}/trace`, signal) : null;
}

function mayChange(task: Task): boolean {
  const endedMs = task.ended_at ? Date.parse(task.ended_at) : 0;
  return isUnderway(task) || Date.now() - endedMs < lateTelemetryMs;
}

function NoTask({ id, task }: { id: string; task: Answered<Task> }) {
  if (!task.problem) return <PageHead title="Task" />;
  return (
    <>
      <PageHead title="Task" />
      {task.problem.status === 404 ? (
        <Empty title="There is no such task">
          <code>{id}</code> is not known, or was removed when its time was over. <a href="/tasks">See all tasks</a>
        </Empty>
      ) : (
        <Problem problem={task.problem} again={task.again} />
      )}
    </>
  );
}

function Facts({ task }: { task: Task }) {
  const allMs = task.ended_at ? Date.parse(task.ended_at) - Date.parse(task.created_at) : undefined;
  return (
    <dl class="fact-strip">
      <div class="long">
        <dt>Id</dt>
        <dd>
          <span class="mono">{task.id}</span> <CopyButton what="id" text={task.id} />
        </dd>
      </div>
      <div>
        <dt>Made</dt>
        <dd>
          <Time at={task.created_at} />
        </dd>
      </div>
      <div>
        <dt>Attempt</dt>
        <dd class="number">
          {task.attempt} of {task.max_attempts}
        </dd>
      </div>
      <div>
        <dt>Waited</dt>
        <dd>
          <Duration ms={waitedMs(task)} />
        </dd>
      </div>
      <div>
        <dt>Ran</dt>
        <dd>
          {task.progress !== null && isUnderway(task) ? (
            <progress max={1} value={task.progress} />
          ) : (
            <Duration ms={ranMs(task)} />
          )}
        </dd>
      </div>
      <div>
        <dt>All in all</dt>
        <dd>
          <Duration ms={allMs} />
        </dd>
      </div>
      <div class="long">
        <dt>Correlation id</dt>
        <dd>
          <a class="mono" href={addressOf("/tasks", { correlation_id: task.correlation_id })}>
            {task.correlation_id}
          </a>
        </dd>
      </div>
    </dl>
  );
}

function TraceSection({ trace }: { trace: Answered<TaskTraceView | null> }) {
  if (trace.data) return <Waterfall trace={trace.data} />;
  if (trace.problem) return <Problem problem={trace.problem} again={trace.again} />;
  return (
    <section class="waterfall no-trace" aria-busy={trace.isWaiting}>
      {trace.data === null && (
        <Empty title="No trace of it so far">
          Telemetry comes a few seconds late. When it stays away, the task was not sampled, or its trace is older than
          what is kept.
        </Empty>
      )}
    </section>
  );
}

const cutLines = 30;

/** A JSON value, laid out, with a button that copies it; cut when it is long. `none` is shown for null. */
function JsonBlock({ title, value, none }: { title: string; value: unknown; none?: string }) {
  const [isWhole, setWhole] = useState(false);
  const isNone = none !== undefined && isNull(value);
  const text = layOut(textOf(value));
  const lines = text.split("\n");
  const isCut = lines.length > cutLines && !isWhole;
  return (
    <section class="card">
      <h2>
        {title}
        {!isNone && <CopyButton what={title.toLowerCase()} text={text} />}
      </h2>
      {isNone ? (
        <p class="quiet">{none}</p>
      ) : (
        <pre class="json">{isCut ? lines.slice(0, cutLines).join("\n") : text}</pre>
      )}
      {isCut && (
        <button type="button" class="link" onClick={() => setWhole(true)}>
          All {lines.length} lines
        </button>
      )}
    </section>
  );
}
