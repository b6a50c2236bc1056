/**
 * `throughline task watch`: every change of a task as it happens, until it has ended. Follows the events of the API; a
 * stream that breaks is taken up behind the last event that was told, so that none is missed and none told twice.
 */

import { EventSourceParserStream } from "eventsource-parser/stream";
import { systemClock } from "../../limits/clock.ts";
import { printResult } from "../../terminal/screen.ts";
import { createPaint, toPrintable } from "../../terminal/style.ts";
import type { Canvas } from "../../terminal/table.ts";
import { plainTime } from "../../terminal/times.ts";
import { TaskError } from "../../words/errors.ts";
import { isEnded, type TaskStatus } from "../../words/task.ts";
import type { EntryAnswer } from "../api-answers.ts";
import { type ApiClient, connectApi } from "../api-client.ts";
import { toUnreachable } from "../api-errors.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { outputFailure } from "../output.ts";
import { stopSignal } from "../stop-signal.ts";
import { failureText, styleOfStatus } from "../task-style.ts";
import { taskPath } from "./wait.ts";

/** A gateway that is replaced is away for a moment. */
const maxFailures = 5;
const pauseMs = 1000;
const silenceLimitMs = 45_000;
/** An event is one entry of the timeline. */
const maxEventChars = 1_000_000;

/** The two kinds of event, as the API tells them. */
export type TaskEvent =
  | { kind: "state"; entry: EntryAnswer }
  /** From 0 to 1. */
  | { kind: "progress"; progress: number };

interface Followed {
  lastId: string;
  status: TaskStatus | undefined;
}

/** Gives the exit code: 0 when the task has succeeded, and when somebody has seen enough. */
export async function watchTask(id: string, flags: ApiFlags): Promise<number> {
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
    const parser = new EventSourceParserStream({ onComment: silence.hear, maxBufferSize: maxEventChars });
    const events = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(parser);
    for await (const { event, data, id: eventId = "" } of events) {
      silence.hear();
      const told = toEvent(event, data);
      followed.lastId = eventId;
      if (!told) continue;
      if (told.kind === "state") followed.status = told.entry.to;
      printResult(flags, { json: data, ids: [id], forPeople: ({ canvas }) => [eventLine(told, canvas)] });
    }
  } catch (error) {
    throw error instanceof TaskError ? error : toUnreachable(error, api.url, signal);
  } finally {
    silence.stop();
  }
  return "broke off";
}

/** A connection that died without a word says nothing more: the API speaks every 15 seconds. */
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
  // The border: what the API promises of its events.
  if (event === "state") return { kind: "state", entry: JSON.parse(data) as EntryAnswer };
  if (event === "progress") return { kind: "progress", progress: (JSON.parse(data) as { progress: number }).progress };
  return undefined;
}

/** `2026-11-21 20:03:15.842Z  retrying   attempt 1  worker  Error: card declined` */
export function eventLine(event: TaskEvent, { color }: Canvas): string {
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
