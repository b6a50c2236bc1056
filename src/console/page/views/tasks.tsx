/** The view Tasks: those of a status, filtered as the address has it, the newest first; submit and cancel. */

import { useState } from "preact/hooks";
import { useLoaded } from "../api.ts";
import { changedQuery, go, here } from "../location.ts";
import { Icon } from "../parts/icon.tsx";
import { type Column, Table } from "../parts/table.tsx";
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
  waitedMs,
} from "../task.tsx";
import {
  countTasks,
  Filters,
  loadTasks,
  readQuestion,
  StatusTabs,
  type TaskAnswer,
  type TaskQuestion,
} from "./tasks/filters.tsx";
import { detailOf } from "./tasks/payload.ts";
import { SubmitDialog } from "./tasks/submit-dialog.tsx";

const countEveryMs = 5000;

export function Tasks() {
  const { query } = here.value;
  const question = readQuestion(query);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [isSubmitting, setSubmitting] = useState(false);
  const narrowed = JSON.stringify({ ...question, status: "", cursor: "", text: "" });
  const list = useLoaded(JSON.stringify(question), (signal) => loadTasks(question, Date.now(), signal));
  const counts = useLoaded(narrowed, (signal) => countTasks(question, Date.now(), signal), { everyMs: countEveryMs });
  useShortcuts([
    { keys: "n", title: "New task", act: () => setSubmitting(true) },
    { keys: "x", title: "Choose the row", act: () => boxOfRow()?.click() },
  ]);

  const items = list.data?.items ?? [];
  const types = knownTypes(items);
  const open = items.filter((task) => isCancelable(task));
  const cancelable = open.filter(({ id }) => chosen.has(id));
  const cancel = async (): Promise<void> => {
    await cancelTasks(cancelable.map(({ id }) => id));
    setChosen(new Set());
    list.again();
    counts.again();
  };
  const choose = (ids: readonly string[], isChosen: boolean): void => {
    const others = [...chosen].filter((id) => !ids.includes(id));
    setChosen(new Set(isChosen ? [...others, ...ids] : others));
  };

  return (
    <>
      <PageHead title="Tasks">
        <button type="button" disabled={cancelable.length === 0} onClick={cancel}>
          {cancelable.length > 0 ? `Cancel ${cancelable.length}` : "Cancel"}
        </button>
        <button type="button" class="primary" onClick={() => setSubmitting(true)}>
          <Icon name="add" />
          New task
        </button>
      </PageHead>
      <StatusTabs chosen={question.status} counts={counts.data} />
      <Filters question={question} types={types} />
      {list.problem && <Problem problem={list.problem} again={question.cursor ? startOver : list.again} />}
      <div class={list.isWaiting ? "list waiting" : "list"} aria-busy={list.isWaiting}>
        {list.data && items.length > 0 && (
          <Table
            caption="Tasks, the newest first"
            columns={columns}
            rows={items}
            keyOf={({ id }) => id}
            hrefOf={({ id }) => `/tasks/${id}`}
            linkName="Task"
            linkOf={TaskName}
            before={{
              head: (
                <input
                  type="checkbox"
                  aria-label="Choose all that can be canceled"
                  disabled={open.length === 0}
                  checked={open.length > 0 && cancelable.length === open.length}
                  onChange={(event) =>
                    choose(
                      open.map(({ id }) => id),
                      event.currentTarget.checked,
                    )
                  }
                />
              ),
              cell: (task) => (
                <input
                  type="checkbox"
                  aria-label={`Choose ${task.id}`}
                  disabled={!isCancelable(task)}
                  checked={chosen.has(task.id) && isCancelable(task)}
                  onChange={(event) => choose([task.id], event.currentTarget.checked)}
                />
              ),
            }}
          />
        )}
        {list.data && items.length === 0 && (
          <NoTasks question={question} answer={list.data} onSubmit={() => setSubmitting(true)} />
        )}
      </div>
      {list.data && <Pages question={question} answer={list.data} />}
      {isSubmitting && <SubmitDialog types={types} onClose={() => setSubmitting(false)} />}
    </>
  );
}

const columns: readonly Column<Task>[] = [
  { name: "Status", isOnPhone: true, cell: ({ status }) => <Status status={status} /> },
  {
    name: "Attempt",
    kind: "number",
    cell: ({ attempt, max_attempts }) => (attempt === 0 ? "–" : `${attempt} / ${max_attempts}`),
  },
  { name: "Made", isOnPhone: true, cell: ({ created_at }) => <Time at={created_at} /> },
  { name: "Waited", kind: "number", cell: (task) => <Duration ms={waitedMs(task)} /> },
  { name: "Ran", kind: "number", cell: (task) => <Duration ms={ranMs(task)} /> },
  { name: "Detail", kind: "wide", cell: (task) => <Detail task={task} /> },
];

/** The end of a UUIDv7 tells tasks of one moment apart. */
function TaskName({ type, id }: Task) {
  return (
    <>
      {type} <span class="mono quiet">{id.slice(-8)}</span>
    </>
  );
}

function Detail({ task }: { task: Task }) {
  const error = currentError(task);
  const { progress } = task;
  if (error) return <span class="bad">{error.message}</span>;
  if (progress !== null && isUnderway(task)) return <progress max={1} value={progress} aria-label="Progress" />;
  return <span class="quiet mono">{detailOf(task)}</span>;
}

function NoTasks({ question, answer, onSubmit }: { question: TaskQuestion; answer: TaskAnswer; onSubmit(): void }) {
  const { status, type, correlationId, sinceMs, after, text } = question;
  const isNarrowed = Boolean(status || type || correlationId || sinceMs || after || text);
  if (!isNarrowed) {
    return (
      <Empty title="No tasks yet">
        <button type="button" class="link" onClick={onSubmit}>
          Submit the first one
        </button>
        , or in a terminal: <code>throughline task submit echo '{"{}"}'</code>
      </Empty>
    );
  }
  const looked = text ? ` ${answer.looked} were looked at.` : "";
  return (
    <Empty title="No task fits">
      {looked} <a href="/tasks">See all tasks</a>
    </Empty>
  );
}

function Pages({ question, answer }: { question: TaskQuestion; answer: TaskAnswer }) {
  if (question.cursor === "" && answer.next === undefined) return null;
  return (
    <nav class="pages" aria-label="Pages">
      {question.cursor !== "" && (
        <a class="button" href={changedQuery({ cursor: undefined })}>
          Newest
        </a>
      )}
      {answer.next !== undefined && (
        <a class="button" href={changedQuery({ cursor: answer.next })}>
          Older
          <Icon name="right" />
        </a>
      )}
    </nav>
  );
}

/** A page of long ago may not be there any more. */
function startOver(): void {
  go(changedQuery({ cursor: undefined }));
}

function boxOfRow(): HTMLInputElement | null | undefined {
  return document.activeElement?.closest("tr")?.querySelector<HTMLInputElement>("input:not(:disabled)");
}
