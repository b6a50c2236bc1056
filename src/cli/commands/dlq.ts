import { type Command, Option } from "commander";
import { taskReasons } from "../../words/task.ts";
import type { AddCommand, End } from "../commands.ts";
import type { DiscardFlags } from "../dlq/discard.ts";
import type { GroupsFlags } from "../dlq/groups.ts";
import type { ListFlags } from "../dlq/list.ts";
import type { RedriveFlags } from "../dlq/redrive.ts";
import type { RedrivesFlags } from "../dlq/redrives.ts";
import type { UnreadableFlags } from "../dlq/unreadable.ts";
import { type ApiFlags, withApi, withExamples } from "../flags.ts";
import { momentText, rate, wholeNumber } from "../values.ts";

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

/** Which of them. */
function withSelection(command: Command): Command {
  return command
    .option("--type <type>", "only tasks of this type")
    .option("--error <type>", "only those whose last error is of this type, such as TimeoutError")
    .option("--group <group>", "only those of this group, as `dlq groups` names it")
    .addOption(new Option("--cause <cause>", "only those that died of this").choices(taskReasons))
    .option("--since <time>", "only those that died since then: a time, or how long ago, such as 1h", momentText);
}

function addList(dlq: Command, end: End): void {
  const command = withSelection(dlq.command("list").description("dead tasks, the newest death first"))
    .option("--limit <number>", "how many", wholeNumber(1, 10_000), 20)
    .option("-q, --quiet", "the ids alone")
    .action(async (flags: ListFlags) => {
      const { listDeadLetters } = await import("../dlq/list.ts");
      end(await listDeadLetters(flags));
    });
  withExamples(
    withApi(command),
    ["throughline dlq list --type send-email", "dead e-mails"],
    ["throughline dlq list --error TimeoutError --since 1h --quiet", "ids of what timed out"],
  );
}

function addGroups(dlq: Command, end: End): void {
  const command = dlq
    .command("groups")
    .description("what the dead died of: how many of each type with the same error")
    .option("--type <type>", "only tasks of this type")
    .option("--since <time>", "only those that died since then: a time, or how long ago, such as 1h", momentText)
    .option("--limit <number>", "how many groups", wholeNumber(1, 100))
    .option("-q, --quiet", "the groups' names alone")
    .action(async (flags: GroupsFlags) => {
      const { listGroups } = await import("../dlq/groups.ts");
      end(await listGroups(flags));
    });
  withExamples(withApi(command), ["throughline dlq groups", "the largest first"]);
}

function addShow(dlq: Command, end: End): void {
  const command = dlq
    .command("show")
    .description("one dead task: why it died, every attempt, its payload")
    .argument("<id>", "the task's id")
    .action(async (taskId: string, flags: ApiFlags) => {
      const { showDeadLetter } = await import("../dlq/show.ts");
      end(await showDeadLetter(taskId, flags));
    });
  withExamples(withApi(command), [`throughline dlq show ${id}`, "one of them"]);
}

function addRedrive(dlq: Command, end: End): void {
  const command = withSelection(
    dlq
      .command("redrive")
      .description("bring dead tasks back: they begin again at attempt 1, in a new trace linked to the old")
      .argument("[id...]", "the tasks' ids; else a filter, or --all"),
  )
    .option("--all", "every dead letter there is")
    .option("--rate <number>", "how many a second; else as fast as it goes", rate)
    .option("--dry-run", "say how many fit, and change nothing")
    .option("--force", "also those that have come back dead from three redrives")
    .option("--reason <text>", "for whoever reads the history")
    .option("--wait", "until it is over; exit code 1 unless all of them came back")
    .option("-q, --quiet", "the redrive's id alone")
    .action(async (ids: string[], flags: RedriveFlags) => {
      const { redrive } = await import("../dlq/redrive.ts");
      end(await redrive(ids, flags));
    });
  withExamples(
    withApi(command),
    [`throughline dlq redrive ${id}`, "one of them"],
    ["throughline dlq redrive --type send-email --error TimeoutError --dry-run", "how many would that be?"],
    ["throughline dlq redrive --all --rate 50 --wait", "all of them, not all at once"],
  );
}

function addRedrives(dlq: Command, end: End): void {
  const command = dlq
    .command("redrives")
    .description("how far a redrive is; pause it, let it go on, end it")
    .argument("<id>", "the redrive's id")
    .addArgument(dlq.createArgument("[command]", "what to do with it").choices(["pause", "resume", "cancel"]))
    .option("--wait", "until it is over; exit code 1 unless all of them came back")
    .action(async (redriveId: string, what: string | undefined, flags: RedrivesFlags) => {
      const { lookAtRedrive } = await import("../dlq/redrives.ts");
      end(await lookAtRedrive(redriveId, what, flags));
    });
  withExamples(
    withApi(command),
    [`throughline dlq redrives ${id}`, "how far it is"],
    [`throughline dlq redrives ${id} pause`, "stop it for now"],
  );
}

function addDiscard(dlq: Command, end: End): void {
  const command = dlq
    .command("discard")
    .description("put dead tasks away for good")
    .argument("<id...>", "the tasks' ids")
    .requiredOption("--reason <text>", "why, for whoever reads the history")
    .option("-q, --quiet", "the ids alone")
    .action(async (ids: string[], flags: DiscardFlags) => {
      const { discard } = await import("../dlq/discard.ts");
      end(await discard(ids, flags));
    });
  withExamples(withApi(command), [`throughline dlq discard ${id} --reason "the order was canceled"`, "one of them"]);
}

function addUnreadable(dlq: Command, end: End): void {
  const command = dlq
    .command("unreadable")
    .description("messages of the dead-letter queue that name no task")
    .option("--limit <number>", "how many", wholeNumber(1, 100))
    .action(async (flags: UnreadableFlags) => {
      const { listUnreadable } = await import("../dlq/unreadable.ts");
      end(await listUnreadable(flags));
    });
  withExamples(withApi(command), ["throughline dlq unreadable", "the newest first"]);
}
