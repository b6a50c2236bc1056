/**
 * `throughline task watch`: every change of a task as it happens, until it has ended. Follows the events of the API; a
 * stream that breaks is resumed after the last event that was printed, so that no event is missed or printed twice.
 */

import type { Command } from "commander";
import { systemClock } from "../limits/clock.ts";
import { printResult } from "../terminal/screen.ts";
import { createPaint, toPrintable } from "../terminal/style.ts";
import type { Canvas } from "../terminal/table.ts";
import { plainTime } from "../terminal/times.ts";
import { TaskError } from "../words/errors.ts";
import { isEnded, type TaskStatus } from "../words/task.ts";
import type { EntryAnswer } from "./api-answers.ts";
import { taskPath } from "./api-calls.ts";
import { type ApiClient, connectApi, toUnreachable } from "./api-client.ts";
import { exitCodes, outputFailure, stopSignal } from "./exit.ts";
import { type ApiFlags, type End, withApi, withExamples } from "./flags.ts";
import { failureText, styleOfStatus } from "./print/task.ts";

export function addTaskWatch(task: Command, end: End): void {
  const command = task
    .command("watch")
    .description("every change of a task as it happens, with its progress; exit code 1 unless it succeeds")
    .argument("<id>", "its id")
    .action(async (taskId: string, flags: ApiFlags) => end(await watchTask(taskId, flags)));
  withExamples(withApi(command), [
    "throughline task watch 01a1fdf4-cd76-7699-a1ab-314869020050",
    "until it has ended, or Ctrl-C",
  ]);
}

/** A gateway that is replaced is away for a moment. */
const maxFailures = 5;
const pauseMs = 1000;
const silenceLimitMs = 45_000;
/** An event is one entry of the timeline. */
const maxEventChars = 1_000_000;

/** The two kinds of event that the API sends. */
type TaskEvent =
  | { kind: "state"; entry: EntryAnswer }
  /** From 0 to 1. */
  | { kind: "progress"; progress: number };

interface Followed {
  lastId: string;
  status: TaskStatus | undefined;
}

/** Gives the exit code: 0 when the task has succeeded, and after Ctrl-C. */
async function watchTask(id: string, flags: ApiFlags): Promise<number> {
  const api = connectApi(flags.url);
  const stopping = new AbortController();
  void Promise.race([stopSignal(() => {}), outputFailure()]).then(() => stopping.abort());
  const followed: Followed = { lastId: "", status: undefined };
  for (let failures = 0; !isOver(followed); ) {
    const before = followed.lastId;
    try {
      if ((await follow(api, id, { flags, followed, signal: stopping.signal })) === "nothing more") break;
    } catch (error) {
      if (stopping.signal.aborted) return exitCodes.done;
      failures = followed.lastId === before ? failures + 1 : 1;
      const isPassing = error instanceof TaskError && error.code === "unavailable";
      if (!isPassing || failures > maxFailures) throw error;
      await systemClock.sleep(pauseMs, stopping.signal);
    }
    if (stopping.signal.aborted) return exitCodes.done;
  }
  return followed.status === "succeeded" ? exitCodes.done : exitCodes.failed;
}

function isOver({ status }: Followed): boolean {
  return status !== undefined && isEnded(status);
}

/** One connection, until it ends. */
async function follow(
  api: ApiClient,
  id: string,
  { flags, followed, signal }: { flags: ApiFlags; followed: Followed; signal: AbortSignal },
): Promise<"broke off" | "nothing more"> {
  const headers = {
    accept: "text/event-stream, application/problem+json",
    ...(followed.lastId !== "" && { "last-event-id": followed.lastId }),
  };
  const silence = limitSilence();
  try {
    const both = AbortSignal.any([signal, silence.signal]);
    const answer = await api.open(`${taskPath(id)}/events`, { signal: both, headers });
    if (answer.status === 204 || !answer.body) return "nothing more";
    const { EventSourceParserStream } = await import("eventsource-parser/stream");
    const parser = new EventSourceParserStream({ onComment: silence.hear, maxBufferSize: maxEventChars });
    const events = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(parser);
    for await (const { event, data, id: eventId = "" } of events) {
      silence.hear();
      const shown = toEvent(event, data);
      followed.lastId = eventId;
      if (!shown) continue;
      if (shown.kind === "state") followed.status = shown.entry.to;
      printResult(flags, { json: data, ids: [id], forPeople: ({ canvas }) => [eventLine(shown, canvas)] });
    }
  } catch (error) {
    throw error instanceof TaskError ? error : toUnreachable(error, api.url, signal);
  } finally {
    silence.stop();
  }
  return "broke off";
}

/** Aborts a connection that is silent for too long: the API sends at least a comment every 15 seconds. */
function limitSilence(): { signal: AbortSignal; hear: () => void; stop: () => void } {
  const over = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => clearTimeout(timer);
  const hear = (): void => {
    stop();
    timer = setTimeout(() => over.abort(), silenceLimitMs);
  };
  hear();
  return { signal: over.signal, hear, stop };
}

/** Undefined for a kind that this version does not know. */
function toEvent(event: string | undefined, data: string): TaskEvent | undefined {
  // The border: the API promises these shapes.
  if (event === "state") return { kind: "state", entry: JSON.parse(data) as EntryAnswer };
  if (event === "progress") return { kind: "progress", progress: (JSON.parse(data) as { progress: number }).progress };
  return undefined;
}

/** `2026-11-21 20:03:15.842Z  retrying   attempt 1  worker  Error: card declined` */
function eventLine(event: TaskEvent, { color }: Canvas): string {
  if (event.kind === "progress") return `${" ".repeat(26)}${Math.round(event.progress * 100)} % done`;
  const { at, to, attempt, service, error } = event.entry;
  const paint = createPaint(color);
  const style = styleOfStatus(to);
  const status = to.padEnd("succeeded".length);
  return [
    plainTime(at),
    style === undefined ? status : paint(style, status),
    (attempt === 0 ? "" : `attempt ${attempt}`).padEnd("attempt 1".length),
    service.padEnd("dlq-processor".length),
    toPrintable(failureText(error)),
  ]
    .join("  ")
    .trimEnd();
}
