/**
 * A task as it goes on, as server-sent events (WHATWG HTML, "Server-sent events"): every change of its state once, and
 * its progress, until it has ended. What a caller has seen stands in the id of an event, so a stream that broke goes on
 * behind it. Owns the streams: how many there are, and that nothing is left of one whose caller is gone.
 */

import { z } from "zod";
import type { TaskNews } from "../api/task.ts";
import type { Clock } from "../limits/clock.ts";
import { createAdmission } from "../limits/concurrency.ts";
import type { RpcAnswer } from "../rpc/transport.ts";
import { TaskError, toTaskError } from "../words/errors.ts";
import { type CallInRequest, type EdgeContext, headerOf } from "./request.ts";
import { declareRoute } from "./route.ts";
import { addRoute, type Routes } from "./serve-route.ts";

/** The id of an event: the number of a change of state, and the progress, if any, as JSON writes it. Empty: of none. */
const eventIdText = /^(?:(\d{1,9})(?::(0|1|0\.\d{1,20}|\de-\d{1,3}|\d\.\d{1,20}e-\d{1,3}))?)?$/;

const taskEvent = z
  .object({
    id: z.string().meta({ pattern: eventIdText.source }),
    event: z.enum(["state", "progress"]),
    data: z.string().meta({ contentMediaType: "application/json" }),
  })
  .meta({ id: "TaskEvent", description: "One event of the stream." });

export const eventRoute = declareRoute({
  operationId: "getEvents",
  tag: "tasks",
  method: "get",
  path: "/tasks/{id}/events",
  scope: "read",
  summary: "Follow a task until it has ended",
  description:
    "Events `state`, with an entry of the timeline and its `number`, and `progress`, with `progress` from 0 to 1. A comment every 15 seconds keeps the connection.",
  headers: z.object({
    "last-event-id": z.string().optional().meta({
      pattern: eventIdText.source,
      description: "Goes on behind the event of that id, as browsers ask by themselves.",
    }),
  }),
  answers: {
    200: {
      description: "The events, as they come.",
      schema: taskEvent,
      contentType: "text/event-stream",
      headers: z.object({ "cache-control": z.literal("no-store, no-cache, no-transform") }),
    },
    204: { description: "The task has ended, and nothing was missed: do not come back." },
  },
  problems: ["not_found"],
});

/** Each holds a connection here, and one to the task service. */
const maxStreams = 1024;
/** Nothing in between closes a connection that speaks this often. */
const heartbeatMs = 15_000;
/** One call to the task service waits this long for something new. */
const watchMs = 60_000;
/** Before the task service is asked again that gave no answer. */
const pauseMs = 2000;
/** Browsers come back after this long when a stream breaks. */
const opening = "retry: 2000\n\n";
const heartbeat = ":\n\n";

/** What a caller has seen: the newest change of state, and the newest progress. */
interface Seen {
  entry: number;
  progress: number | null;
}

export interface EventDeps {
  call: CallInRequest;
  ask: CallInRequest;
  clock: Clock;
  draining: AbortSignal;
}

export function addEventRoute(routes: Routes, { call, ask, clock, draining }: EventDeps): void {
  const admitStream = createAdmission(maxStreams, "streams of events");

  addRoute(routes, eventRoute, async (c, { id }) => {
    const seen = parseEventId(headerOf(c, "last-event-id"));
    // Before the answer has a status: whether there is such a task, and anything to tell of it.
    const first = newsOf(await call(c, "WatchTask", toRequest(id, seen)));
    if (first.has_ended && eventsOf(first, seen).text === "") return new Response(null, { status: 204 });
    if (c.request.method === "HEAD") return streamWith(null);
    const opened = Promise.withResolvers<Response>();
    admitStream(async () => {
      const stream = new EventStream({ c, id, ask, clock }, seen, first);
      const body = stream.open([draining, c.request.signal]);
      opened.resolve(streamWith(body));
      await stream.closed;
    }).catch(opened.reject);
    return opened.promise;
  });
}

interface Followed extends Pick<EventDeps, "ask" | "clock"> {
  c: EdgeContext;
  id: string;
}

/** The events of one task for one caller. */
class EventStream {
  readonly #followed: Followed;
  #seen: Seen;
  /** Text that was not sent yet. */
  #pending = opening;
  #hasEnded = false;
  #watching: Promise<void> | undefined;
  readonly #over = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  /** Resolves when nothing of it goes on any more. */
  readonly closed = this.#closed.promise;

  constructor(followed: Followed, seen: Seen, first: TaskNews) {
    this.#followed = followed;
    this.#seen = seen;
    this.#take(first);
  }

  /** `signals`: each ends it. */
  open(signals: readonly AbortSignal[]): ReadableStream<Uint8Array> {
    let end = (): void => {};
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          end = () => {
            if (this.#over.signal.aborted) return;
            this.#close();
            controller.close();
          };
        },
        pull: (controller) => this.#pull(controller),
        cancel: () => this.#close(),
      },
      { highWaterMark: 0 },
    );
    for (const signal of signals) {
      signal.addEventListener("abort", end, { once: true, signal: this.#over.signal });
      if (signal.aborted) end();
    }
    return body;
  }

  #take(news: TaskNews): void {
    const { text, seen } = eventsOf(news, this.#seen);
    this.#pending += text;
    this.#seen = seen;
    this.#hasEnded = news.has_ended;
  }

  #close(): void {
    this.#over.abort();
    // What is still asked for in its name is given up by now.
    void Promise.resolve(this.#watching).then(() => this.#closed.resolve());
  }

  async #watch(): Promise<void> {
    const { c, id, ask, clock } = this.#followed;
    const over = this.#over.signal;
    try {
      this.#take(newsOf(await ask(c, "WatchTask", toRequest(id, this.#seen, watchMs), watchMs, over)));
    } catch (thrown) {
      // It was removed: there is nothing more to tell.
      if (toTaskError(thrown).code === "not_found") this.#hasEnded = true;
      else await clock.sleep(pauseMs, over);
    }
    this.#watching = undefined;
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const over = this.#over.signal;
    while (this.#pending === "" && !this.#hasEnded && !over.aborted) {
      this.#watching ??= this.#watch();
      const beat = new AbortController();
      const silence = this.#followed.clock.sleep(heartbeatMs, AbortSignal.any([beat.signal, over]));
      const isNews = await Promise.race([this.#watching.then(() => true), silence.then(() => false)]);
      beat.abort();
      if (!isNews) this.#pending += heartbeat;
    }
    if (over.aborted) return;
    if (this.#pending !== "") controller.enqueue(new TextEncoder().encode(this.#pending));
    this.#pending = "";
    if (!this.#hasEnded) return;
    controller.close();
    this.#close();
  }
}

function streamWith(body: ReadableStream<Uint8Array> | null): Response {
  const headers = {
    "content-type": "text/event-stream",
    // Proxies that compress what passes hold a stream back until there is enough of it.
    "cache-control": "no-store, no-cache, no-transform",
    // nginx keeps answers back otherwise.
    "x-accel-buffering": "no",
  };
  return new Response(body, { headers });
}

function toRequest(id: string, { entry, progress }: Seen, waitMs = 0): object {
  return { id, seen_entry: entry, ...(progress !== null && { seen_progress: progress }), wait: `${waitMs}ms` };
}

/** The answer of `WatchTask`, which has no payload in it. */
function newsOf({ json }: RpcAnswer): TaskNews {
  return JSON.parse(json);
}

/**
 * The events in what was answered, and what has been seen with them. Progress is that of the attempt which began last: it
 * stands behind that, and before whatever came after.
 */
export function eventsOf(news: TaskNews, seen: Seen): { text: string; seen: Seen } {
  const { entries, first_number: firstNumber, progress } = news;
  const behind = entries.findLastIndex(({ to }) => to === "running") + 1;
  const tellEntry = (entry: TaskNews["entries"][number], index: number, share: number | null): string => {
    const number = firstNumber + index;
    return eventOf("state", { entry: number, progress: share }, { number, ...entry });
  };
  const before = entries.slice(0, behind).map((entry, index) => tellEntry(entry, index, null));
  const after = entries.slice(behind).map((entry, index) => tellEntry(entry, behind + index, progress));
  const reached = { entry: behind > 0 ? firstNumber + behind - 1 : seen.entry, progress };
  const isTold = progress === null || (behind === 0 && progress === seen.progress);
  const said = isTold ? [] : [eventOf("progress", reached, { progress })];
  const newest = entries.length > 0 ? firstNumber + entries.length - 1 : seen.entry;
  return { text: [...before, ...said, ...after].join(""), seen: { entry: newest, progress } };
}

/** Its id is all that has been seen with it. JSON has no line breaks outside of its texts, and escapes them there. */
function eventOf(event: string, { entry, progress }: Seen, data: object): string {
  const id = progress === null ? entry : `${entry}:${progress}`;
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The number of a change of state, and the progress, if any: `7`, `7:0.5`. Throws `invalid_argument` for what no event had. */
function parseEventId(text: string | undefined): Seen {
  const parts = eventIdText.exec(text ?? "");
  if (parts === null) {
    throw new TaskError("invalid_argument", `Last-Event-ID: "${text}" is not the id of an event; begin without it`);
  }
  const [, entry = "0", progress] = parts;
  return { entry: Number(entry), progress: progress === undefined ? null : Number(progress) };
}
