/**
 * From requests to accepted tasks. Each is checked, all that fit are committed at once, each is reported, and all are sent
 * at once. Each has a fate of its own, in its place: refused, made, or known from an earlier request with its idempotency key.
 * None is answered for before its commit; one that was not sent is the sweeper's.
 */

import { toTask, writeNewTask } from "../api/task.ts";
import type { Clock } from "../limits/clock.ts";
import { maxMessageBytes } from "../rpc/call.ts";
import { newestEntries } from "../store/ports/pages.ts";
import {
  actorOf,
  type CreateResult,
  type Creation,
  type NewTask,
  type TaskStore,
  toCreatedTask,
} from "../store/ports/tasks.ts";
import type { TaskTypes } from "../store/ports/types.ts";
import { toCarrier } from "../telemetry/context/propagation.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { ownKey } from "../telemetry/names.ts";
import { metadataAttributes } from "../telemetry/spans/attributes.ts";
import type { EntryResult } from "../words/entry-result.ts";
import { TaskError } from "../words/errors.ts";
import { writeJson } from "../words/json-text.ts";
import type { TaskRecord, TaskType } from "../words/task.ts";
import { newTaskId } from "../words/task-id.ts";
import type { Accept, Arrival, Fate, Place } from "./create.ts";
import type { News } from "./news.ts";
import type { PayloadChecks } from "./payload-checks.ts";
import { type CreateTask, digestOf, parseCreateTask } from "./requests.ts";
import { type Sends, sendConfirmMs } from "./sends.ts";

export interface AcceptDeps {
  store: Pick<TaskStore, "create" | "timeline">;
  types: Pick<TaskTypes, "find">;
  payloads: PayloadChecks;
  sends: Sends;
  news: News;
  clock: Clock;
  log: Logger;
  /** Who makes the tasks, as their timelines name it. */
  service: string;
  /** Default number of attempts. */
  maxAttempts: number;
  /** Keys of the metadata that spans show. */
  metadataAttributes: readonly string[];
}

type Tried<Value> = { kind: "done"; value: Value } | { kind: "failed"; error: unknown };

/** A request that fits, and its type: undefined while none is registered. */
interface FittingRequest {
  place: Place;
  request: CreateTask;
  type: TaskType | undefined;
}

/** What is to be committed for an arrival. */
interface Ready extends Creation {
  place: Place;
}

/** So many tasks at once as one commit of the store should have. */
const atOnce = 100;

const noRoom = "the disk with the data folder is nearly full";

/** A disk does not empty itself within a second. */
const noRoomRetryMs = 5000;

export function createAcceptance(deps: AcceptDeps): Accept {
  const { store, sends, news } = deps;
  const refusing = createRefusing(deps.log);

  /** Commits, reports what was made, and begins to send it. */
  const commit = async (creations: readonly Ready[]) => {
    const results: EntryResult<CreateResult>[] = [];
    const sent: Promise<void>[] = [];
    for (let from = 0; from < creations.length; from += atOnce) {
      const slice = creations.slice(from, from + atOnce);
      const created = await store.create(slice);
      for (const result of created) refusing.see(result);
      const made = slice.filter((_, at) => kindOf(created[at]) === "created");
      for (const { task, actor, context } of made) news.made(task, context, actor.atMs);
      sent.push(sends.first(made));
      results.push(...created);
    }
    return { results, sent: Promise.all(sent) };
  };

  return async (arrivals) => {
    const fitting = await check(arrivals, deps);
    const nowMs = deps.clock.nowMs();
    const ready = fitting.map((one) => tryOn(one, (request) => toCreation(request, nowMs, deps)));
    const { results, sent } = await commit(ready.flatMap((one) => (one.kind === "done" ? [one.value] : [])));
    const left = results.values();
    const fates = ready.map((one) => (one.kind === "failed" ? one : conclude(one.value, left.next().value, deps)));
    const answered = await Promise.all(fates);
    await sent;
    return answered;
  };
}

/** Which of them fit the form, and the payload their type. */
async function check(arrivals: readonly Arrival[], { types, payloads }: AcceptDeps): Promise<Tried<FittingRequest>[]> {
  const requests = arrivals.map(({ message, place }) => attempt(() => ({ place, request: parseCreateTask(message) })));
  const found = await findTypes(requests, types);
  const checked = requests.map((one) =>
    tryOn(one, ({ place, request }) => ({ place, request, type: unwrap(found.get(request.type)) })),
  );
  // Few types have a schema: the others wait for nothing.
  const checks = checked.flatMap((one, at) => {
    if (one.kind === "failed" || !one.value.type || one.value.type.payloadSchema === null) return [];
    const { type, request } = one.value;
    return payloads.check(type, JSON.parse(request.payload)).catch((error: unknown) => {
      checked[at] = { kind: "failed", error };
    });
  });
  if (checks.length > 0) await Promise.all(checks);
  return checked;
}

/** Each type once, and all at once: those that are not known yet share one look into the store. */
async function findTypes(requests: readonly Tried<{ request: CreateTask }>[], types: AcceptDeps["types"]) {
  const names = new Set(requests.flatMap((one) => (one.kind === "done" ? one.value.request.type : [])));
  const find = async (name: string): Promise<[string, Tried<TaskType | undefined>]> => [
    name,
    await types.find(name).then(
      (value): Tried<TaskType | undefined> => ({ kind: "done", value }),
      (error: unknown): Tried<TaskType | undefined> => ({ kind: "failed", error }),
    ),
  ];
  return new Map(await Promise.all([...names].map(find)));
}

function toCreation({ request, type, place }: FittingRequest, nowMs: number, deps: AcceptDeps): Ready {
  const runAtMs = request.runAt ?? nowMs + (request.delay ?? 0);
  const isScheduled = runAtMs > nowMs;
  const { payload } = request;
  if (payload.length > maxMessageBytes) {
    throw new TaskError("payload_too_large", `the payload is larger than ${maxMessageBytes} bytes`);
  }
  const task: NewTask = {
    id: newTaskId(),
    type: request.type,
    payload,
    metadata: request.metadata,
    maxAttempts: request.maxAttempts || type?.maxAttempts || deps.maxAttempts,
    timeoutMs: request.timeout ?? null,
    correlationId: place.correlationId,
    runAtMs: isScheduled ? runAtMs : nowMs,
    isTimed: isScheduled && request.runAt !== undefined,
    status: isScheduled ? "scheduled" : "queued",
    origin: toCarrier(place.context),
    sendAtMs: isScheduled ? runAtMs : nowMs + sendConfirmMs,
    idempotency: request.idempotencyKey ? { key: request.idempotencyKey, digest: digestOf(request) } : null,
  };
  return { task, actor: actorOf(deps.service, place.context, nowMs), context: place.context, place };
}

/** The fate of what was committed, or was not. */
function conclude(
  { task, actor, place }: Ready,
  result: EntryResult<CreateResult> | undefined,
  deps: AcceptDeps,
): Fate | Promise<Fate> {
  if (result?.kind !== "done") return { kind: "failed", error: result?.error };
  switch (result.value.kind) {
    case "created": {
      const record = toCreatedTask(task, actor);
      mark(place, record, deps);
      return { kind: "done", id: task.id, json: writeNewTask(record), isReplayed: false };
    }
    case "replayed":
      mark(place, result.value.task, deps);
      return replay(result.value.task, place, deps);
    case "mismatch": {
      const message = `the idempotency key "${task.idempotency?.key}" was used before`;
      return { kind: "failed", error: new TaskError("idempotency_mismatch", message) };
    }
    case "no_room":
      return { kind: "failed", error: new TaskError("unavailable", noRoom, { retryAfterMs: noRoomRetryMs }) };
  }
}

function mark({ span }: Place, { id, type, metadata }: TaskRecord, deps: AcceptDeps): void {
  span.setAttribute(ownKey.taskId, id);
  span.setAttribute(ownKey.taskType, type);
  if (deps.metadataAttributes.length > 0) span.setAttributes(metadataAttributes(metadata, deps.metadataAttributes));
}

/** The task as it is by now, with its history. */
async function replay(task: TaskRecord, { context }: Place, { store }: AcceptDeps): Promise<Fate> {
  try {
    const timeline = await store.timeline(task.id, context);
    return { kind: "done", id: task.id, json: writeJson(toTask(task, newestEntries(timeline))), isReplayed: true };
  } catch (error) {
    return { kind: "failed", error };
  }
}

/** Logs when the store starts to refuse tasks because the disk is nearly full, and when it accepts them again. */
function createRefusing(log: Logger) {
  let isRefusing = false;
  return {
    see: (result: EntryResult<CreateResult>): void => {
      const kind = kindOf(result);
      if (kind === "no_room" && !isRefusing) log.warn("new tasks are refused", { reason: noRoom });
      if (kind === "created" && isRefusing) log.info("new tasks are accepted again");
      if (kind === "no_room" || kind === "created") isRefusing = kind === "no_room";
    },
  };
}

function kindOf(result: EntryResult<CreateResult> | undefined): CreateResult["kind"] | undefined {
  return result?.kind === "done" ? result.value.kind : undefined;
}

function attempt<Value>(work: () => Value): Tried<Value> {
  try {
    return { kind: "done", value: work() };
  } catch (error) {
    return { kind: "failed", error };
  }
}

function tryOn<From, To>(tried: Tried<From>, work: (value: From) => To): Tried<To> {
  return tried.kind === "failed" ? tried : attempt(() => work(tried.value));
}

function unwrap<Value>(tried: Tried<Value> | undefined): Value | undefined {
  if (tried?.kind === "failed") throw tried.error;
  return tried?.value;
}
