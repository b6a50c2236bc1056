/** `throughline dlq`: dead letters, the tasks that have failed for good. Redrives have a file of their own. */

import type { Command } from "commander";
import { printList, printResult, talkScreen } from "../terminal/screen.ts";
import { styles } from "../terminal/style.ts";
import { type Canvas, type Column, renderTable } from "../terminal/table.ts";
import { whenText } from "../terminal/times.ts";
import type { DeadLetterAnswer, GroupAnswer, TaskAnswer, UnreadableAnswer } from "./api-answers.ts";
import { callEach, deadLetterPath, deadLettersPath, type EachFlags, readPages } from "./api-calls.ts";
import { connectApi } from "./api-client.ts";
import { addRedrive, addRedrives, type SelectionFlags, toFilter, withSelection } from "./dlq-redrive.ts";
import { exitCodes } from "./exit.ts";
import { type AddCommand, type ApiFlags, type End, momentText, wholeNumber, withApi, withExamples } from "./flags.ts";
import { failureText, renderTask } from "./print/task.ts";

/** Of the examples. */
const id = "01a1fdf4-cd76-7699-a1ab-314869020050";

export const addDlq: AddCommand = (program, end) => {
  const dlq = program.command("dlq").description("dead letters: tasks that have failed for good");
  addList(dlq, end);
  addGroups(dlq, end);
  addShow(dlq, end);
  addRedrive(dlq, end);
  addRedrives(dlq, end);
  addDiscard(dlq, end);
  addUnreadable(dlq, end);
};

function addList(dlq: Command, end: End): void {
  const command = withSelection(dlq.command("list").description("dead tasks, the newest death first"))
    .option("--limit <number>", "how many", wholeNumber(1, 10_000), 20)
    .option("-q, --quiet", "the ids alone")
    .action(async (flags: ListFlags) => end(await listDeadLetters(flags)));
  withExamples(
    withApi(command),
    ["throughline dlq list --type send-email", "dead e-mails"],
    ["throughline dlq list --error TimeoutError --since 1h --quiet", "ids of what timed out"],
  );
}

interface ListFlags extends ApiFlags, SelectionFlags {
  limit: number;
  quiet?: boolean;
}

async function listDeadLetters(flags: ListFlags): Promise<number> {
  const query = { path: deadLettersPath, query: toFilter(flags), limit: flags.limit };
  const page = await readPages<DeadLetterAnswer>(connectApi(flags.url), query);
  printList(flags, page, {
    nothing: "no dead letter fits",
    idOf: ({ task }) => task.id,
    forPeople: ({ canvas }) => renderTable(letterColumns(canvas, Date.now()), page.items, canvas),
  });
  return exitCodes.done;
}

function letterColumns(canvas: Canvas, nowMs: number): Column<DeadLetterAnswer>[] {
  return [
    { title: "ID", cell: ({ task }) => task.id },
    { title: "TYPE", cell: ({ task }) => task.type, least: 6 },
    { title: "DIED", cell: ({ died_at: at }) => whenText(at, canvas, nowMs), spare: 1 },
    { title: "ERROR", cell: ({ task }) => failureText(task.error), style: () => styles.red, least: 12, spare: 2 },
    { title: "TRIES", cell: ({ task }) => String(task.attempt), isFigure: true, spare: 3 },
    { title: "CAUSE", cell: ({ reason }) => reason, spare: 5 },
    { title: "REDRIVES", cell: ({ redrives }) => String(redrives || ""), isFigure: true, spare: 4 },
  ];
}

function addGroups(dlq: Command, end: End): void {
  const command = dlq
    .command("groups")
    .description("what the dead died of: how many of each type with the same error")
    .option("--type <type>", "only tasks of this type")
    .option("--since <time>", "only those that died since then: a time, or how long ago, such as 1h", momentText)
    .option("--limit <number>", "how many groups", wholeNumber(1, 100))
    .option("-q, --quiet", "the groups' names alone")
    .action(async (flags: GroupsFlags) => end(await listGroups(flags)));
  withExamples(withApi(command), ["throughline dlq groups", "the largest first"]);
}

interface GroupsFlags extends ApiFlags, Pick<SelectionFlags, "type" | "group" | "since"> {
  limit?: number;
  quiet?: boolean;
}

async function listGroups(flags: GroupsFlags): Promise<number> {
  const query = { ...toFilter(flags), ...(flags.limit !== undefined && { limit: String(flags.limit) }) };
  const api = connectApi(flags.url);
  const { body } = await api.call<{ items: GroupAnswer[] }>("GET", `${deadLettersPath}/groups`, { query });
  printList(flags, body, {
    nothing: "nothing is dead",
    idOf: ({ group }) => group,
    forPeople: ({ canvas }) => renderTable(groupColumns(canvas, Date.now()), body.items, canvas),
  });
  return exitCodes.done;
}

function groupColumns(canvas: Canvas, nowMs: number): Column<GroupAnswer>[] {
  return [
    { title: "GROUP", cell: ({ group }) => group },
    { title: "COUNT", cell: ({ count }) => String(count), isFigure: true },
    { title: "TYPE", cell: ({ type }) => type, least: 6 },
    { title: "ERROR", cell: ({ error }) => failureText(error), style: () => styles.red, least: 12 },
    { title: "LAST", cell: ({ last_seen: at }) => whenText(at, canvas, nowMs), spare: 1 },
    { title: "FIRST", cell: ({ first_seen: at }) => whenText(at, canvas, nowMs), spare: 2 },
    { title: "NEWEST", cell: ({ task_id: id }) => id, style: () => styles.dim, spare: 3 },
  ];
}

function addShow(dlq: Command, end: End): void {
  const command = dlq
    .command("show")
    .description("one dead task: why it died, every attempt, its payload")
    .argument("<id>", "the task's id")
    .action(async (taskId: string, flags: ApiFlags) => end(await showDeadLetter(taskId, flags)));
  withExamples(withApi(command), [`throughline dlq show ${id}`, "one of them"]);
}

async function showDeadLetter(id: string, flags: ApiFlags): Promise<number> {
  const { body: letter, text } = await connectApi(flags.url).call<DeadLetterAnswer>("GET", deadLetterPath(id));
  printResult(flags, {
    json: text,
    ids: [id],
    forPeople: ({ canvas }) =>
      renderTask(letter.task, canvas, Date.now(), [
        ["died of", letter.reason],
        ["redrives", letter.redrives === 0 ? null : String(letter.redrives)],
        ["died in", letter.trace_id === letter.task.trace_id ? null : `trace ${letter.trace_id}`],
      ]),
  });
  talkScreen().suggest(flags, `throughline dlq redrive ${id}`, `throughline dlq discard ${id} --reason "…"`);
  return exitCodes.done;
}

function addDiscard(dlq: Command, end: End): void {
  const command = dlq
    .command("discard")
    .description("put dead tasks away for good")
    .argument("<id...>", "the tasks' ids")
    .requiredOption("--reason <text>", "why; shown in the task's history")
    .option("-q, --quiet", "the ids alone")
    .action(async (ids: string[], flags: DiscardFlags) => end(await discard(ids, flags)));
  withExamples(withApi(command), [`throughline dlq discard ${id} --reason "the order was canceled"`, "one of them"]);
}

interface DiscardFlags extends EachFlags {
  reason: string;
}

function discard(ids: readonly string[], flags: DiscardFlags): Promise<number> {
  const api = connectApi(flags.url);
  const body = { reason: flags.reason };
  return callEach(
    ids,
    flags,
    (id) => api.call<TaskAnswer>("POST", `${deadLetterPath(id)}/discard`, { body }),
    ({ id, status }) => `${id} ${status}`,
  );
}

function addUnreadable(dlq: Command, end: End): void {
  const command = dlq
    .command("unreadable")
    .description("messages of the dead-letter queue that name no task")
    .option("--limit <number>", "how many", wholeNumber(1, 100))
    .action(async (flags: UnreadableFlags) => end(await listUnreadable(flags)));
  withExamples(withApi(command), ["throughline dlq unreadable", "the newest first"]);
}

interface UnreadableFlags extends ApiFlags {
  limit?: number;
}

async function listUnreadable(flags: UnreadableFlags): Promise<number> {
  const query = { limit: flags.limit === undefined ? undefined : String(flags.limit) };
  const api = connectApi(flags.url);
  const { body } = await api.call<{ items: UnreadableAnswer[] }>("GET", `${deadLettersPath}/unreadable`, { query });
  printList(flags, body, {
    nothing: "every message could be read",
    idOf: (message) => message.message_id,
    forPeople: ({ canvas }) => renderTable(messageColumns(canvas, Date.now()), body.items, canvas),
  });
  return exitCodes.done;
}

function messageColumns(canvas: Canvas, nowMs: number): Column<UnreadableAnswer>[] {
  return [
    { title: "MESSAGE", cell: ({ message_id: id }) => id },
    { title: "RECEIVED", cell: ({ received_at: at }) => whenText(at, canvas, nowMs), spare: 1 },
    { title: "REASON", cell: ({ reason }) => reason, least: 10 },
    { title: "BODY", cell: ({ body }) => body, least: 12, spare: 2 },
  ];
}
