/** What a list of tasks is narrowed by; all of it stands in the address. */

import { type TaskStatus, taskStatuses } from "../../../../words/task.ts";
import { canonicalId } from "../../../../words/task-id.ts";
import { changedQuery, go, here } from "../../location.ts";
import { toClock } from "../../parts/time.tsx";
import { TypedField } from "../../parts/typed-field.tsx";
import { maxCounted, sinceOf, spans, type TaskQuestion } from "./task-list.ts";

const taskIdText = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function StatusTabs({
  chosen,
  counts,
}: {
  chosen: TaskStatus | undefined;
  counts: Map<TaskStatus, number> | undefined;
}) {
  return (
    <nav class="tabs" aria-label="Status">
      <Tab label="all" status={undefined} isChosen={chosen === undefined} count={undefined} />
      {taskStatuses.map((status) => (
        <Tab key={status} label={status} status={status} isChosen={chosen === status} count={counts?.get(status)} />
      ))}
    </nav>
  );
}

interface TabProps {
  label: string;
  status: TaskStatus | undefined;
  isChosen: boolean;
  count: number | undefined;
}

function Tab({ label, status, isChosen, count }: TabProps) {
  const shown = count === undefined ? "" : count > maxCounted ? `${maxCounted}+` : String(count);
  return (
    <a
      class={isChosen ? "tab here" : "tab"}
      href={changedQuery({ status, cursor: undefined })}
      aria-current={isChosen ? "page" : undefined}
    >
      {label}
      {status && <span class={count ? "count" : "count none"}>{shown}</span>}
    </a>
  );
}

export function Filters({ question, types }: { question: TaskQuestion; types: readonly string[] }) {
  const search = (text: string): void => {
    const id = canonicalId(text.trim());
    if (taskIdText.test(id)) go(`/tasks/${id}`);
    else narrow({ q: text });
  };
  return (
    <search class="filters">
      <TypedField
        label="Search tasks"
        icon
        placeholder="Task id, or text in it"
        value={question.text}
        onTyped={search}
      />
      <TypedField
        label="Type"
        placeholder="Any type"
        value={question.type}
        list={types}
        onTyped={(type) => narrow({ type })}
      />
      <TypedField
        label="Correlation id"
        placeholder="Any correlation id"
        value={question.correlationId}
        onTyped={(text) => narrow({ correlation_id: text })}
      />
      <label>
        <span class="unseen">Made</span>
        <select
          value={question.after ?? sinceOf(here.value.query)}
          onChange={(event) => narrow({ since: event.currentTarget.value, until: "" })}
        >
          {spans.map(({ name, text }) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
          {question.after && <option value={question.after}>{windowText(question)}</option>}
        </select>
      </label>
    </search>
  );
}

function narrow(changes: Record<string, string>): void {
  go(changedQuery({ ...changes, cursor: undefined }), { isSame: true });
}

/** A stretch of time that a point of a chart leads to. */
function windowText({ after = "", before }: TaskQuestion): string {
  const from = toClock(after, Date.now());
  return before ? `${from} – ${toClock(before, Date.now())}` : `Since ${from}`;
}
