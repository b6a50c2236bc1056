/** What a list of traces is narrowed by; all of it stands in the address, in the words of the API. */

import { changedQuery, go } from "../../location.ts";
import { toClock } from "../../parts/time.tsx";
import { TypedField } from "../../parts/typed-field.tsx";

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

export function traceQuestionOf(query: URLSearchParams): TraceQuestion {
  return Object.fromEntries(names.flatMap((name) => (query.get(name) ? [[name, query.get(name) ?? ""]] : [])));
}

export function TraceFilters({ question }: { question: TraceQuestion }) {
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
