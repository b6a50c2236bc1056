import { type Command, Option } from "commander";
import { taskStatuses } from "../../words/task.ts";
import type { AddCommand, End } from "../commands.ts";
import { type ApiFlags, withApi, withExamples } from "../flags.ts";
import type { CancelFlags } from "../task/cancel.ts";
import type { GetFlags } from "../task/get.ts";
import type { ListFlags } from "../task/read-tasks.ts";
import type { SubmitFlags } from "../task/submit.ts";
import type { TimelineFlags } from "../task/timeline.ts";
import { durationMs, durationText, momentText, pair, payloadText, timeText, wholeNumber } from "../values.ts";

/** Of the examples. */
const id = "01a1fdf4-cd76-7699-a1ab-314869020050";

const waiting = "until it has ended; exit code 1 unless it succeeded";

export const addTask: AddCommand = (program, end) => {
  const task = program.command("task").description("submit tasks, look at them, cancel them");
  addSubmit(task, end);
  addGet(task, end);
  addList(task, end);
  addTimeline(task, end);
  addWatch(task, end);
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
    .action(async (type: string, payload: string | undefined, flags: SubmitFlags) => {
      const { submitTask } = await import("../task/submit.ts");
      end(await submitTask(type, payload, flags));
    });
  withExamples(
    withApi(command),
    [`throughline task submit echo '{"hello":"world"}' --wait`, "run it, and see its result"],
    ["throughline task submit send-email @email.json --delay 30s --key order-1001", "later, and once only"],
    ["echo '{\"n\":1}' | throughline task submit echo - --metadata tenant=blue", "from a pipe"],
    ["id=$(throughline task submit sleep '{\"ms\":5000}' --quiet)", "for a script"],
  );
}

function addGet(task: Command, end: End): void {
  const command = task
    .command("get")
    .description("one task: its state, its attempts, its result or error")
    .argument("<id>", "its id")
    .option("--wait", waiting)
    .option("--wait-limit <duration>", "for no longer than this; then exit code 1", durationMs)
    .action(async (taskId: string, flags: GetFlags) => {
      const { getTask } = await import("../task/get.ts");
      end(await getTask(taskId, flags));
    });
  withExamples(
    withApi(command),
    [`throughline task get ${id}`, "as it is now"],
    [`throughline task get ${id} --wait --json > task.json`, "with its result, once it has one"],
  );
}

function addList(task: Command, end: End): void {
  const command = task
    .command("list")
    .description("tasks, the newest first")
    .addOption(new Option("--status <status>", "only those in this state").choices(taskStatuses))
    .option("--type <type>", "only those of this type")
    .option("--correlation-id <id>", "only those of this correlation id")
    .option("--since <time>", "only those made since then: a time, or how long ago, such as 1h", momentText)
    .option("--limit <number>", "how many", wholeNumber(1, 10_000), 20)
    .option("--watch", "again and again; elsewhere than on a terminal, a line for each change")
    .option("-q, --quiet", "the ids alone")
    .action(async (flags: ListFlags) => {
      if (flags.watch) {
        const { watchTasks } = await import("../task/watch-list.ts");
        return end(await watchTasks(flags));
      }
      const { listTasks } = await import("../task/list.ts");
      end(await listTasks(flags));
    });
  withExamples(
    withApi(command),
    ["throughline task list --status dead --since 1h", "what died within the last hour"],
    ["throughline task list --type send-email --watch", "look on"],
    ["throughline task list --status scheduled --quiet | xargs throughline task cancel", "cancel them"],
  );
}

function addTimeline(task: Command, end: End): void {
  const command = task
    .command("timeline")
    .description("every change of a task's state, and in which trace it happened")
    .argument("<id>", "its id")
    .action(async (taskId: string, flags: TimelineFlags) => {
      const { showTimeline } = await import("../task/timeline.ts");
      end(await showTimeline(taskId, flags));
    });
  withExamples(withApi(command), [`throughline task timeline ${id}`, "from its creation on"]);
}

function addWatch(task: Command, end: End): void {
  const command = task
    .command("watch")
    .description("every change of a task as it happens, with its progress; exit code 1 unless it succeeds")
    .argument("<id>", "its id")
    .action(async (taskId: string, flags: ApiFlags) => {
      const { watchTask } = await import("../task/watch.ts");
      end(await watchTask(taskId, flags));
    });
  withExamples(withApi(command), [`throughline task watch ${id}`, "until it has ended, or Ctrl-C"]);
}

function addCancel(task: Command, end: End): void {
  const command = task
    .command("cancel")
    .description("end tasks that have not ended; one that runs is told to stop")
    .argument("<id...>", "their ids")
    .option("-q, --quiet", "the ids alone")
    .action(async (ids: string[], flags: CancelFlags) => {
      const { cancelTasks } = await import("../task/cancel.ts");
      end(await cancelTasks(ids, flags));
    });
  withExamples(withApi(command), [`throughline task cancel ${id}`, "one of them"]);
}
