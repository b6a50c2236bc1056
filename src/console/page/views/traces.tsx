/** The view Traces: search what the console keeps, of tasks and of other services; or open a file. */

import { useRef } from "preact/hooks";
import { useAnswer } from "../api.ts";
import { addressOf, changedQuery, go, here } from "../location.ts";
import { openFile, openText, useDroppedFile } from "../opened-file.ts";
import { TypedField } from "../parts/controls.tsx";
import { Icon } from "../parts/icon.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Duration, Time, toClock } from "../parts/time.tsx";
import { Empty, PageHead, Problem } from "../parts/view.tsx";
import { useShortcuts } from "../shortcuts.ts";

interface TraceSummary {
  trace_id: string;
  started_at: string;
  duration_ms: number;
  service: string;
  operation: string;
  spans: number;
  errors: number;
  services: string[];
  task_ids: string[];
}

interface TraceList {
  items: TraceSummary[];
  /** False when older ones were not looked at. */
  is_complete: boolean;
}

export function Traces() {
  const question = traceQuestionOf(here.value.query);
  const { data, problem, again, isWaiting } = useAnswer<TraceList>(toPath(question));
  const chooser = useRef<HTMLInputElement>(null);
  const isOver = useDroppedFile({
    onFile: (file) => void openFile(file),
    onText: (text) => openText(text, "The text"),
  });
  const items = data?.items ?? [];
  const longestMs = items.reduce((longest, { duration_ms: ms }) => Math.max(longest, ms), 0);
  useShortcuts([{ keys: "f", title: "Open a trace file", act: () => chooser.current?.click() }]);
  return (
    <div class={isOver ? "drop over" : "drop"}>
      <PageHead title="Traces">
        <input
          ref={chooser}
          type="file"
          class="unseen"
          tabIndex={-1}
          aria-label="Trace file"
          accept=".json,.jsonl,application/json"
          onChange={({ currentTarget: { files } }) => files?.[0] && void openFile(files[0])}
        />
        <button
          type="button"
          onClick={() => chooser.current?.click()}
          title="OTLP or Jaeger JSON; or drop it here, or paste it"
        >
          <Icon name="out" />
          Open file…
        </button>
      </PageHead>
      <TraceFilters question={question} />
      {problem && <Problem problem={problem} again={again} />}
      <div class={isWaiting ? "list waiting" : "list"} aria-busy={isWaiting}>
        {items.length > 0 && (
          <Table
            caption="Traces, the newest first"
            columns={columnsOf(longestMs)}
            rows={items}
            keyOf={({ trace_id }) => trace_id}
            hrefOf={({ trace_id }) => `/traces/${trace_id}`}
            linkName="Trace"
            linkOf={({ service, operation }) => (
              <span class="operation">
                <span class="quiet">{service}</span> {operation}
              </span>
            )}
          />
        )}
        {data && items.length === 0 && <NoTraces isNarrowed={Object.keys(question).length > 0} />}
      </div>
      {data && !data.is_complete && items.length < 50 && (
        <p class="quiet small">
          Only the newest half million spans were looked at. A task id is found however old it is.
        </p>
      )}
    </div>
  );
}

/** Traces of housekeeping are hidden unless the filter asks for them. */
function toPath(question: TraceQuestion): string {
  return addressOf("/traces", { limit: "50", housekeeping: "false", ...question });
}

function columnsOf(longestMs: number): Column<TraceSummary>[] {
  return [
    { name: "Began", isOnPhone: true, cell: ({ started_at }) => <Time at={started_at} /> },
    {
      name: "Duration",
      cell: ({ duration_ms: ms }) => (
        <span class="duration-bar">
          <Duration ms={ms} />
          <i style={{ width: `${longestMs > 0 ? Math.max(1, (ms / longestMs) * 100) : 0}%` }} />
        </span>
      ),
    },
    { name: "Spans", kind: "number", cell: ({ spans }) => spans.toLocaleString("en") },
    {
      name: "Errors",
      kind: "number",
      isOnPhone: true,
      cell: ({ errors }) => (errors > 0 ? <b class="bad">{errors}</b> : <span class="quiet">–</span>),
    },
    { name: "Services", cell: ({ services }) => <span class="quiet">{services.length}</span> },
    { name: "Tasks", cell: ({ task_ids: ids }) => <TaskLinks ids={ids} /> },
  ];
}

function TaskLinks({ ids: [first, ...others] }: { ids: readonly string[] }) {
  if (first === undefined) return <span class="quiet">–</span>;
  return (
    <>
      <a class="mono" href={`/tasks/${first}`}>
        {first.slice(-8)}
      </a>
      {others.length > 0 && <span class="quiet"> +{others.length}</span>}
    </>
  );
}

function NoTraces({ isNarrowed }: { isNarrowed: boolean }) {
  return isNarrowed ? (
    <Empty title="No trace fits">
      One span has to fit everything that is asked for. <a href="/traces">See all traces</a>
    </Empty>
  ) : (
    <Empty title="No traces yet">
      Those of tasks come about a second after the fact. Services of yours send theirs by OTLP over HTTP to the{" "}
      <code>otlp_url</code> of the log line “ready”, as with <code>OTEL_EXPORTER_OTLP_ENDPOINT</code>.
    </Empty>
  );
}

const names = [
  "service",
  "operation",
  "task_id",
  "error",
  "min_duration",
  "attribute",
  "housekeeping",
  "since",
  "until",
] as const;

export type TraceQuestion = Partial<Record<(typeof names)[number], string>>;

const traceIdText = /^[0-9a-f]{32}$/i;
const spans = [
  { name: "", text: "Any time" },
  { name: "5m", text: "Last 5 minutes" },
  { name: "15m", text: "Last 15 minutes" },
  { name: "1h", text: "Last hour" },
] as const;

/** The filters of a list of traces; all of them are in the address, under the names of the API. */
function traceQuestionOf(query: URLSearchParams): TraceQuestion {
  return Object.fromEntries(names.flatMap((name) => (query.get(name) ? [[name, query.get(name) ?? ""]] : [])));
}

function TraceFilters({ question }: { question: TraceQuestion }) {
  const { service = "", operation = "", min_duration = "", attribute = "", task_id = "", since = "", until } = question;
  const isWindow = since !== "" && !spans.some(({ name }) => name === since);
  const search = (text: string): void => {
    const trimmed = text.trim();
    if (traceIdText.test(trimmed)) go(`/traces/${trimmed.toLowerCase()}`);
    else narrow({ task_id: trimmed });
  };
  return (
    <search class="filters">
      <TypedField label="Trace or task id" icon placeholder="Trace id, or a task's" value={task_id} onTyped={search} />
      <TypedField
        label="Service"
        placeholder="Any service"
        value={service}
        onTyped={(text) => narrow({ service: text })}
      />
      <TypedField
        label="Operation"
        placeholder="Any operation"
        value={operation}
        onTyped={(text) => narrow({ operation: text })}
      />
      <TypedField
        label="Attribute, as key=value"
        placeholder="attribute=value"
        value={attribute}
        onTyped={(text) => narrow({ attribute: text })}
      />
      <TypedField
        label="Takes at least"
        placeholder="At least, as 250ms"
        value={min_duration}
        onTyped={(text) => narrow({ min_duration: text })}
      />
      <label>
        <span class="unseen">Began</span>
        <select value={since} onChange={(event) => narrow({ since: event.currentTarget.value, until: "" })}>
          {spans.map(({ name, text }) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
          {isWindow && <option value={since}>{windowText(since, until)}</option>}
        </select>
      </label>
      <label class="check" title="Idle calls to the broker and the store, requests of this page">
        <input
          type="checkbox"
          checked={question.housekeeping === "true"}
          onChange={(event) => narrow({ housekeeping: event.currentTarget.checked ? "true" : "" })}
        />
        Housekeeping
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={question.error === "true"}
          onChange={(event) => narrow({ error: event.currentTarget.checked ? "true" : "" })}
        />
        Errors only
      </label>
    </search>
  );
}

function narrow(changes: Record<string, string>): void {
  go(changedQuery(changes), { isSame: true });
}

/** A stretch of time that a point of a chart leads to. */
function windowText(since: string, until: string | undefined): string {
  if (Number.isNaN(Date.parse(since))) return `Last ${since}`;
  const from = toClock(since, Date.now());
  return until ? `${from} – ${toClock(until, Date.now())}` : `Since ${from}`;
}
