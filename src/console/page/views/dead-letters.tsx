/** The view Dead letters: what tasks died of, and the way back. A group opens the list of its letters. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useAnswer } from "../api.ts";
import type { DeadFilter, DeadGroup } from "../dead-letter.ts";
import { addressOf, changedQuery, here } from "../location.ts";
import { Icon } from "../parts/icon.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { ClockTime, Time } from "../parts/time.tsx";
import { Empty, PageHead, Problem } from "../parts/view.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { RedriveDialog } from "./dead-letters/dialogs.tsx";
import { LetterList } from "./dead-letters/letter-list.tsx";
import { RecentRedrives } from "./dead-letters/redrives.tsx";

export function DeadLetters() {
  const { query } = here.value;
  const filter = readFilter(query);
  return filter.group === undefined ? <Groups filter={filter} /> : <LetterList filter={filter} />;
}

function readFilter(query: URLSearchParams): DeadFilter {
  const read = (name: keyof DeadFilter) => {
    const text = query.get(name);
    return text ? { [name]: text } : {};
  };
  return { ...read("type"), ...read("group"), ...read("since"), ...read("until") };
}

/** As many as the API gives; those with the most dead. */
const maxGroups = 100;

function Groups({ filter }: { filter: DeadFilter }) {
  const path = addressOf("/dead-letters/groups", { ...filter, limit: String(maxGroups) });
  const { data, problem, again } = useAnswer<{ items: DeadGroup[] }>(path);
  const [ordered, setOrdered] = useState<{ filter: DeadFilter; what: string }>();
  const all = data?.items ?? [];
  const total = all.reduce((sum, { count }) => sum + count, 0);
  const isNarrowed = Object.keys(filter).length > 0;
  const what = isNarrowed ? "all dead letters that fit" : "all dead letters";
  useShortcuts([
    { keys: "a", title: "Redrive all", act: () => total > 0 && setOrdered({ filter, what }) },
    { keys: "r", title: "Redrive the group", act: () => buttonOfRow()?.click() },
  ]);
  return (
    <>
      <PageHead title="Dead letters">
        <button type="button" class="primary" disabled={total === 0} onClick={() => setOrdered({ filter, what })}>
          Redrive all{total > 0 ? ` ${total.toLocaleString("en")}${all.length === maxGroups ? "+" : ""}` : ""}…
        </button>
      </PageHead>
      <Narrowed filter={filter} />
      {problem && <Problem problem={problem} again={again} />}
      {all.length > 0 && (
        <Table
          caption="What tasks died of, the largest group first"
          columns={columnsOf((group) =>
            setOrdered({ filter: { ...filter, type: group.type, group: group.group }, what: nameOf(group) }),
          )}
          rows={all}
          keyOf={({ type, group }) => `${type} ${group}`}
          hrefOf={({ type, group }) => addressOf("/dead-letters", { ...filter, type, group })}
          linkName="Died of"
          linkOf={GroupName}
        />
      )}
      {data && all.length === 0 && <NoLetters isNarrowed={isNarrowed} />}
      <RecentRedrives />
      {ordered && (
        <RedriveDialog
          selection={{ filter: ordered.filter }}
          what={ordered.what}
          onClose={() => setOrdered(undefined)}
        />
      )}
    </>
  );
}

function columnsOf(onRedrive: (group: DeadGroup) => void): Column<DeadGroup>[] {
  return [
    { name: "Task type", cell: ({ type }) => type },
    { name: "Dead", kind: "number", isOnPhone: true, cell: ({ count }) => <b>{count.toLocaleString("en")}</b> },
    { name: "First seen", cell: ({ first_seen }) => <Time at={first_seen} /> },
    { name: "Last seen", cell: ({ last_seen }) => <Time at={last_seen} /> },
    {
      name: "Sample",
      cell: ({ task_id }) => (
        <a href={`/tasks/${task_id}`} title="The newest of them, with its whole trace">
          newest
        </a>
      ),
    },
    {
      name: "Way back",
      isOnPhone: true,
      cell: (group) => (
        <button type="button" class="small-button" onClick={() => onRedrive(group)}>
          Redrive…
        </button>
      ),
    },
  ];
}

function GroupName({ error, group }: DeadGroup) {
  return (
    <span class="died-of">
      <b>{error?.type ?? group}</b>
      <span class="quiet">{error?.message}</span>
    </span>
  );
}

function nameOf({ error, type, group }: DeadGroup): string {
  return `${type} that died of ${error?.type ?? group}`;
}

/** The filters in force, each with a link that removes it. */
function Narrowed({ filter: { type, since, until } }: { filter: DeadFilter }) {
  if (!type && !since && !until) return null;
  return (
    <ul class="chips">
      {type && (
        <Chip label="type" without={{ type: undefined }}>
          {type}
        </Chip>
      )}
      {since && (
        <Chip label="died since" without={{ since: undefined }}>
          <ClockTime at={since} />
        </Chip>
      )}
      {until && (
        <Chip label="died until" without={{ until: undefined }}>
          <ClockTime at={until} />
        </Chip>
      )}
    </ul>
  );
}

function Chip(props: { label: string; without: Record<string, undefined>; children: ComponentChildren }) {
  return (
    <li class="chip">
      <span class="quiet">{props.label}</span> {props.children}
      <a href={changedQuery(props.without)} aria-label={`Without ${props.label}`}>
        <Icon name="close" />
      </a>
    </li>
  );
}

function NoLetters({ isNarrowed }: { isNarrowed: boolean }) {
  return isNarrowed ? (
    <Empty title="No dead letter fits">
      <a href="/dead-letters">See all of them</a>
    </Empty>
  ) : (
    <Empty title="Nothing is dead">
      A task whose last attempt fails ends here, with every attempt's error and its trace. To see one:{" "}
      <code>throughline task submit fail '{'{"fatal":true}'}'</code>
    </Empty>
  );
}

function buttonOfRow(): HTMLButtonElement | null | undefined {
  return document.activeElement?.closest("tr")?.querySelector("button");
}
