/** The view of one trace: one that the console keeps, or one of a file that was opened. */

import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { taskIdOf, withWaits } from "../../task-trace.ts";
import { toTaskTraceView } from "../../task-trace-view.ts";
import { useAnswer } from "../api.ts";
import { changedQuery, here } from "../location.ts";
import { filePath, openedFile } from "../opened-file.ts";
import { logsOfOtlp, spansOfOtlp } from "../otlp-file.ts";
import { CopyButton } from "../parts/controls.tsx";
import { Duration, Time } from "../parts/time.tsx";
import { Empty, PageHead, Problem } from "../parts/view.tsx";
import type { FileTrace } from "../trace-file.ts";

import { Waterfall } from "../waterfall/waterfall.tsx";

export function TracePage({ id }: { id: string }) {
  return `/traces/${id}` === filePath ? <FromFile /> : <FromConsole id={id} />;
}

/** A trace may still grow; a long one is loaded less often. */
const everyMs = 5000;

function FromConsole({ id }: { id: string }) {
  const { data, problem, again } = useAnswer<Record<string, unknown>>(`/traces/${encodeURIComponent(id)}`, { everyMs });
  const text = useMemo(() => data && JSON.stringify(data), [data]);
  const trace = useMemo(() => data && { traceId: id, spans: spansOfOtlp(data), logs: logsOfOtlp(data) }, [id, text]);
  return (
    <>
      {trace ? (
        <Trace trace={trace}>
          <CopyButton what="OTLP JSON" label="Copy JSON" text={() => text ?? ""} />
        </Trace>
      ) : (
        <PageHead title="Trace" />
      )}
      {problem?.status === 404 && !trace && (
        <Empty title="No trace of that id">
          It was not sampled, is older than what is kept, or comes within a second. <a href="/traces">See all traces</a>
        </Empty>
      )}
      {problem && problem.status !== 404 && <Problem problem={problem} again={again} />}
    </>
  );
}

function FromFile() {
  const file = openedFile.value;
  const chosen = here.value.query.get("trace");
  if (!file) {
    return (
      <>
        <PageHead title="Trace of a file" />
        <Empty title="No file is open">
          A file is read in this tab alone, and forgotten with it. <a href="/traces">Open it again</a>
        </Empty>
      </>
    );
  }
  const trace = file.traces.find(({ traceId }) => traceId === chosen) ?? file.traces[0];
  return (
    <>
      {trace && (
        <Trace key={trace.traceId} trace={trace}>
          {file.traces.length > 1 && (
            <nav class="choice" aria-label="Traces of the file">
              {file.traces.slice(0, maxTabs).map(({ traceId }) => (
                <a
                  key={traceId}
                  class={traceId === trace.traceId ? "here" : ""}
                  href={changedQuery({ trace: traceId, span: undefined })}
                >
                  {traceId.slice(0, 8)}
                </a>
              ))}
            </nav>
          )}
        </Trace>
      )}
      <p class="quiet small">
        From {file.name}, which was read here and sent nowhere.
        {file.left > 0 && ` ${file.left.toLocaleString("en")} spans beyond the first 20,000 are left out.`}
        {file.traces.length > maxTabs && ` It has ${file.traces.length} traces; these are the first ${maxTabs}.`}
      </p>
    </>
  );
}

const maxTabs = 12;

function Trace({ trace, children }: { trace: FileTrace; children?: ComponentChildren }) {
  const { traceId, spans, logs } = trace;
  const view = useMemo(
    () => toTaskTraceView({ taskId: "", traceIds: [traceId], spans: withWaits(spans), logs: [...logs] }),
    [trace],
  );
  const first = view.rows.find((row) => row.kind === "span");
  const tasks = [...new Set(spans.flatMap(({ attributes }) => taskIdOf(attributes) ?? []))];
  const services = new Set(spans.map(({ service }) => service));
  const errors = spans.filter(({ status }) => status.code === "ERROR").length;
  return (
    <>
      <PageHead title={first && "name" in first ? first.name : "Trace"}>{children}</PageHead>
      <dl class="fact-strip">
        <div class="long">
          <dt>Trace id</dt>
          <dd>
            <span class="mono">{traceId}</span> <CopyButton what="id" text={traceId} />
          </dd>
        </div>
        <div>
          <dt>Began</dt>
          <dd>
            <Time at={view.started_at} />
          </dd>
        </div>
        <div>
          <dt>Took</dt>
          <dd>
            <Duration ms={view.duration_ms} />
          </dd>
        </div>
        <div>
          <dt>Spans</dt>
          <dd class="number">{spans.length.toLocaleString("en")}</dd>
        </div>
        <div>
          <dt>Errors</dt>
          <dd class={errors > 0 ? "number bad" : "number"}>{errors}</dd>
        </div>
        <div>
          <dt>Services</dt>
          <dd class="number">{services.size}</dd>
        </div>
        {tasks.length > 0 && (
          <div class="long">
            <dt>{tasks.length === 1 ? "Task, with all its traces" : "Tasks, with all their traces"}</dt>
            <dd>
              {tasks.slice(0, 5).map((taskId) => (
                <a key={taskId} class="mono task-link" href={`/tasks/${taskId}`}>
                  {taskId.slice(-8)}
                </a>
              ))}
              {tasks.length > 5 && <span class="quiet">+{tasks.length - 5}</span>}
            </dd>
          </div>
        )}
      </dl>
      <Waterfall trace={view} />
    </>
  );
}
