/** What a list of tasks is narrowed by; all of it stands in the address. */

import { useEffect, useState } from "preact/hooks";
import { changedQuery, go, here } from "../../location.ts";
import { Icon } from "../../parts/icon.tsx";
import { statuses, type TaskStatus } from "../../task.ts";
import { maxCounted, sinceOf, spans, type TaskQuestion } from "./task-list.ts";

const typingPauseMs = 250;
const taskIdText = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

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
      {statuses.map((status) => (
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
    if (taskIdText.test(text.trim())) go(`/tasks/${text.trim().toLowerCase()}`);
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
        <select value={sinceOf(here.value.query)} onChange={(event) => narrow({ since: event.currentTarget.value })}>
          {spans.map(({ name, text }) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}

function narrow(changes: Record<string, string>): void {
  go(changedQuery({ ...changes, cursor: undefined }), { isSame: true });
}

interface TypedFieldProps {
  label: string;
  placeholder: string;
  value: string;
  onTyped(text: string): void;
  /** Proposed. */
  list?: readonly string[];
  /** It is the field that `/` leads to. */
  icon?: boolean;
}

/** Tells what was typed once nobody has typed for a moment. */
function TypedField({ label, placeholder, value, onTyped, list, icon = false }: TypedFieldProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onTyped(text), typingPauseMs);
    return () => clearTimeout(timer);
  }, [text]);
  const listId = list && `proposed-${label}`;
  return (
    <label class={icon ? "typed search" : "typed"}>
      <span class="unseen">{label}</span>
      {icon && <Icon name="search" />}
      <input
        type="search"
        class={icon ? "with-icon" : undefined}
        placeholder={placeholder}
        value={text}
        list={listId}
        autoComplete="off"
        spellcheck={false}
        data-search={icon ? "" : undefined}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {list && (
        <datalist id={listId}>
          {list.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </label>
  );
}
