/** The dead letters of one group: chosen ones, or all, are brought back. */

import { useState } from "preact/hooks";
import { useAnswer } from "../../api.ts";
import type { DeadFilter, DeadLetter, Selection } from "../../dead-letter.ts";
import { addressOf, changedQuery, here } from "../../location.ts";
import { Icon } from "../../parts/icon.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { Empty, PageHead, Problem } from "../../parts/view.tsx";
import { useShortcuts } from "../../shortcuts.ts";
import { RedriveDialog } from "./dialogs.tsx";

const pageSize = "100";

export function LetterList({ filter }: { filter: DeadFilter }) {
  const cursor = here.value.query.get("cursor") ?? undefined;
  const path = addressOf("/dead-letters", { ...filter, limit: pageSize, cursor });
  const { data, problem, again } = useAnswer<{ items: DeadLetter[]; next_cursor: string | null }>(path);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [ordered, setOrdered] = useState<{ selection: Selection; what: string }>();
  const letters = data?.items ?? [];
  const ids = letters.map(({ task }) => task.id).filter((id) => chosen.has(id));
  const choose = (which: readonly string[], isChosen: boolean): void => {
    const others = [...chosen].filter((id) => !which.includes(id));
    setChosen(new Set(isChosen ? [...others, ...which] : others));
  };
  const orderChosen = (): void => setOrdered({ selection: { ids }, what: `${ids.length} chosen` });
  useShortcuts([
    { keys: "x", title: "Choose the row", act: () => boxOfRow()?.click() },
    { keys: "r", title: "Redrive the chosen", act: () => ids.length > 0 && orderChosen() },
  ]);
  return (
    <>
      <PageHead
        title={
          <>
            <a href={addressOf("/dead-letters")}>Dead letters</a> <span class="quiet">/</span>{" "}
            {letters[0]?.task.error?.type ?? filter.group}
          </>
        }
      >
        <button type="button" disabled={ids.length === 0} onClick={orderChosen}>
          Redrive chosen{ids.length > 0 ? ` ${ids.length}` : ""}…
        </button>
        <button
          type="button"
          class="primary"
          disabled={letters.length === 0}
          onClick={() => setOrdered({ selection: { filter }, what: "the whole group" })}
        >
          Redrive the group…
        </button>
      </PageHead>
      {problem && <Problem problem={problem} again={again} />}
      {letters.length > 0 && (
        <LetterTable letters={letters} chosen={chosen} isAllChosen={ids.length === letters.length} choose={choose} />
      )}
      {data && letters.length === 0 && (
        <Empty title="The group is empty">
          Its tasks were brought back or discarded. <a href="/dead-letters">See what else is dead</a>
        </Empty>
      )}
      {data?.next_cursor && (
        <nav class="pages" aria-label="Pages">
          <a class="button" href={changedQuery({ cursor: data.next_cursor })}>
            Older
            <Icon name="right" />
          </a>
        </nav>
      )}
      {ordered && <RedriveDialog {...ordered} onClose={() => setOrdered(undefined)} />}
    </>
  );
}

interface LetterTableProps {
  letters: readonly DeadLetter[];
  chosen: ReadonlySet<string>;
  isAllChosen: boolean;
  choose(ids: readonly string[], isChosen: boolean): void;
}

function LetterTable({ letters, chosen, isAllChosen, choose }: LetterTableProps) {
  return (
    <Table
      caption="Dead letters of the group, the newest first"
      columns={columns}
      rows={letters}
      keyOf={({ task }) => task.id}
      hrefOf={({ task }) => `/dead-letters/${task.id}`}
      linkName="Task"
      linkOf={({ task }) => (
        <>
          {task.type} <span class="mono quiet">{task.id.slice(-8)}</span>
        </>
      )}
      before={{
        head: (
          <input
            type="checkbox"
            aria-label="Choose all that are shown"
            checked={isAllChosen}
            onChange={(event) =>
              choose(
                letters.map(({ task }) => task.id),
                event.currentTarget.checked,
              )
            }
          />
        ),
        cell: ({ task }) => (
          <input
            type="checkbox"
            aria-label={`Choose ${task.id}`}
            checked={chosen.has(task.id)}
            onChange={(event) => choose([task.id], event.currentTarget.checked)}
          />
        ),
      }}
    />
  );
}

const columns: readonly Column<DeadLetter>[] = [
  { name: "Died", isOnPhone: true, cell: ({ died_at }) => <Time at={died_at} /> },
  { name: "Attempts", kind: "number", cell: ({ task }) => task.attempt },
  { name: "Redrives", kind: "number", cell: ({ redrives }) => redrives || <span class="quiet">–</span> },
  { name: "Reason", cell: ({ reason }) => reason.replaceAll("_", " ") },
  { name: "Error", kind: "wide", cell: ({ task }) => <span class="bad">{task.error?.message}</span> },
];

function boxOfRow(): HTMLInputElement | null | undefined {
  return document.activeElement?.closest("tr")?.querySelector("input");
}
