/** `throughline task`: submits tasks, shows them, cancels them. `list` and `watch` have files of their own. */

import { type Command, Option } from "commander";
import { printResult, talkScreen } from "../terminal/screen.ts";
import type { EntryAnswer, TaskAnswer } from "./api-answers.ts";
import { callEach, type EachFlags, taskPath, tasksPath, waitForEnd } from "./api-calls.ts";
import { type ApiAnswer, connectApi } from "./api-client.ts";
import { exitCodes } from "./exit.ts";
import {
  type AddCommand,
  type ApiFlags,
  durationMs,
  durationText,
  type End,
  pair,
  payloadText,
  readPayload,
  timeText,
  wholeNumber,
  withApi,
  withExamples,
} from "./flags.ts";
import { endOf, renderTimeline, showTask } from "./print/task.ts";
import { addTaskList } from "./task-list.ts";
import { addTaskWatch } from "./task-watch.ts";

/** Of the examples. */
const id = "01a1fdf4-cd76-7699-a1ab-314869020050";

const waiting = "until it has ended; exit code 1 unless it succeeded";

export const addTask: AddCommand = (program, end) => {
  const task = program.command("task").description("submit tasks, look at them, cancel them");
  addSubmit(task, end);
  addGet(task, end);
  addTaskList(task, end);
  addTimeline(task, end);
  addTaskWatch(task, end);
  addCancel(task, end);
};

function addSubmit(task: Command, end: End): void {
  const command = task
    .command("submit")
    .description("hand in a task")
    .argument("<type>", "which handler runs it")
    .argument("[payload]", "JSON; or @file, or - for stdin", payloadText)
    .option("--wait", waiting)
    .option("--wait-limit <duration>", "for no longer than this; then exit code 1, and the task goes on", durationMs)
    .option("--delay <duration>", "how long it waits before it may start", durationText)
    .addOption(new Option("--run-at <time>", "when it may start").argParser(timeText).conflicts("delay"))
    .option("--timeout <duration>", "deadline of each attempt", durationText)
    .option("--max-attempts <number>", "how often it is tried", wholeNumber(1, 100))
    .option("-m, --metadata <name=value>", "a text of your own; may be given again", pair)
    .option("--key <key>", "idempotency key: the same key again gives the same task, not another")
    .option("--force-trace", "its trace is kept, whatever the sampling")
    .option("-q, --quiet", "the id alone")
    .action(async (type: string, payload: string | undefined, flags: SubmitFlags) =>
      end(await submitTask(type, payload, flags)),
    );
  withExamples(
    withApi(command),
    [`throughline task submit echo '{"hello":"world"}' --wait`, "run it, and see its result"],
    ["throughline task submit send-email @email.json --delay 30s --key order-1001", "later, and once only"],
    ["echo '{\"n\":1}' | throughline task submit echo - --metadata tenant=blue", "from a pipe"],
    ["id=$(throughline task submit sleep '{\"ms\":5000}' --quiet)", "for a script"],
  );
}

interface SubmitFlags extends GetFlags {
  delay?: string;
  runAt?: string;
  timeout?: string;
  maxAttempts?: number;
  metadata?: Record<string, string>;
  key?: string;
  forceTrace?: boolean;
  quiet?: boolean;
}

async function submitTask(type: string, payload: string | undefined, flags: SubmitFlags): Promise<number> {
  const api = connectApi(flags.url);
  const body = {
    type,
    payload: payload === undefined ? undefined : readPayload(payload),
    delay: flags.delay,
    run_at: flags.runAt,
    timeout: flags.timeout,
    max_attempts: flags.maxAttempts,
    metadata: flags.metadata,
  };
  const headers = {
    ...(flags.key !== undefined && { "idempotency-key": flags.key }),
    ...(flags.forceTrace && { "x-force-trace": "true" }),
  };
  const accepted = await api.call<TaskAnswer>("POST", tasksPath, { body, headers });
  if (!flags.wait && flags.waitLimit === undefined) {
    showAccepted(accepted, flags);
    return exitCodes.done;
  }
  // Printed before the wait, so that a wait that is interrupted leaves the id.
  if (!flags.quiet && !flags.json) talkScreen().print(acceptedText(accepted));
  const ended = await waitForEnd(api, accepted.body.id, flags.waitLimit);
  showTask(ended, flags);
  return endOf(ended.body);
}

function showAccepted(accepted: ApiAnswer<TaskAnswer>, flags: SubmitFlags): void {
  const { id } = accepted.body;
  printResult(flags, { json: accepted.text, ids: [id], forPeople: () => [acceptedText(accepted)] });
  talkScreen().suggest(flags, `throughline task get ${id} --wait`);
}

/** `01a1… queued`; the id comes first, for `cut` and `awk`. */
function acceptedText({ body: { id, status }, headers }: ApiAnswer<TaskAnswer>): string {
  return `${id} ${status}${headers.get("idempotent-replayed") === "true" ? " (the task of this key)" : ""}`;
}

function addGet(task: Command, end: End): void {
  const command = task
    .command("get")
    .description("one task: its state, its attempts, its result or error")
    .argument("<id>", "its id")
    .option("--wait", waiting)
    .option("--wait-limit <duration>", "for no longer than this; then exit code 1", durationMs)
    .action(async (taskId: string, flags: GetFlags) => end(await getTask(taskId, flags)));
  withExamples(
    withApi(command),
    [`throughline task get ${id}`, "as it is now"],
    [`throughline task get ${id} --wait --json > task.json`, "with its result, once it has one"],
  );
}

interface GetFlags extends ApiFlags {
  wait?: boolean;
  /** Milliseconds. */
  waitLimit?: number;
}

async function getTask(id: string, flags: GetFlags): Promise<number> {
  const api = connectApi(flags.url);
  const isWaiting = flags.wait ?? flags.waitLimit !== undefined;
  const answer = isWaiting
    ? await waitForEnd(api, id, flags.waitLimit)
    : await api.call<TaskAnswer>("GET", taskPath(id));
  showTask(answer, flags);
  return isWaiting ? endOf(answer.body) : exitCodes.done;
}

function addTimeline(task: Command, end: End): void {
  const command = task
    .command("timeline")
    .description("every change of a task's state, and in which trace it happened")
    .argument("<id>", "its id")
    .action(async (taskId: string, flags: ApiFlags) => end(await showTimeline(taskId, flags)));
  withExamples(withApi(command), [`throughline task timeline ${id}`, "from its creation on"]);
}

async function showTimeline(id: string, flags: ApiFlags): Promise<number> {
  const { body, text } = await connectApi(flags.url).call<{ items: EntryAnswer[] }>("GET", `${taskPath(id)}/timeline`);
  printResult(flags, {
    json: text,
    ids: [id],
    forPeople: ({ canvas }) => renderTimeline(body.items, canvas),
  });
  return exitCodes.done;
}

function addCancel(task: Command, end: End): void {
  const command = task
    .command("cancel")
    .description("end tasks that have not ended; one that runs is told to stop")
    .argument("<id...>", "their ids")
    .option("-q, --quiet", "the ids alone")
    .action(async (ids: string[], flags: EachFlags) => end(await cancelTasks(ids, flags)));
  withExamples(withApi(command), [`throughline task cancel ${id}`, "one of them"]);
}

function cancelTasks(ids: readonly string[], flags: EachFlags): Promise<number> {
  const api = connectApi(flags.url);
  return callEach(
    ids,
    flags,
    (id) => api.call<TaskAnswer>("POST", `${taskPath(id)}/cancel`),
    // One that runs is told to stop, and is canceled when it has.
    ({ id, status }) => `${id} ${status === "canceled" ? status : `${status}, told to stop`}`,
  );
}
