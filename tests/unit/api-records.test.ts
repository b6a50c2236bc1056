/** Records of the API are messages of the proto: the generated code reads each, and writes the same again. */

import { describe, expect, test } from "bun:test";
import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { toDeadLetter, toDryRun, toGroup, toRedrive, toUnreadable } from "../../src/api/dead-letter.ts";
import { toSchedule } from "../../src/api/schedule.ts";
import { toTask, toTimelineEntry, writeNewTask } from "../../src/api/task.ts";
import { toTaskType } from "../../src/api/task-type.ts";
import {
  DeadLetterGroupSchema,
  DeadLetterSchema,
  RedriveSchema,
  ScheduleSchema,
  TaskSchema,
  TaskTypeSchema,
  TimelineEntrySchema,
  UnreadableMessageSchema,
} from "../../src/gen/tasks_pb.ts";
import type { DeadLetter } from "../../src/store/ports/dead-letters.ts";
import type { Redrive } from "../../src/store/ports/redrives.ts";
import type { Schedule } from "../../src/store/ports/schedules.ts";
import { toCreatedTask } from "../../src/store/ports/tasks.ts";
import { writeJson } from "../../src/words/json-text.ts";
import {
  attemptOutcomes,
  deadReasons,
  type TaskRecord,
  type TimelineEntry,
  taskStatuses,
  taskTypePattern,
} from "../../src/words/task.ts";

const text = fc.string({ unit: "grapheme" });
const json = fc.jsonValue({ stringUnit: "grapheme", maxDepth: 3 }).map((value) => JSON.stringify(value));
const ms = fc.integer({ min: 0, max: Date.parse("2200-01-01T00:00:00Z") });
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(some);
const error = maybe(fc.record({ type: text, message: text }));
const metadata = fc.dictionary(text, text);
const count = fc.nat();
const traceparent = fc.constant("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

const anyTask: fc.Arbitrary<TaskRecord> = fc.record({
  id: fc.uuid({ version: 7 }),
  type: text,
  status: fc.constantFrom(...taskStatuses),
  payload: json,
  result: maybe(json),
  error,
  attempt: count,
  maxAttempts: count,
  timeoutMs: maybe(count),
  correlationId: text,
  traceId: text,
  metadata,
  createdAtMs: ms,
  runAtMs: ms,
  startedAtMs: maybe(ms),
  endedAtMs: maybe(ms),
  runsAlone: fc.boolean(),
  redrives: count,
  redrivenFrom: fc.constant(null),
  progress: maybe(fc.double({ min: 0, max: 1, noNaN: true })),
});

const anyEntry: fc.Arbitrary<TimelineEntry> = fc.record({
  atMs: ms,
  from: maybe(fc.constantFrom(...taskStatuses)),
  to: fc.constantFrom(...taskStatuses),
  attempt: count,
  durationMs: fc.maxSafeNat(),
  outcome: maybe(fc.constantFrom(...attemptOutcomes)),
  error,
  traceId: text,
  spanId: text,
  service: text,
  worker: maybe(text),
});
const anyTimeline = fc.array(anyEntry, { maxLength: 4 });

const anyLetter: fc.Arbitrary<DeadLetter> = fc.record({
  task: anyTask,
  reason: fc.constantFrom(...deadReasons),
  diedAtMs: ms,
  deathTraceparent: traceparent,
  group: text,
});

const anyRedrive: fc.Arbitrary<Redrive> = fc.record({
  id: text,
  selection: fc.constant({ kind: "filter" } as const),
  ratePerSecond: maybe(fc.double({ min: 0.001, max: 1e5, noNaN: true })),
  isForced: fc.boolean(),
  reason: text,
  payload: maybe(json),
  status: fc.constantFrom("running", "paused", "canceled", "completed"),
  matched: count,
  moved: count,
  failed: count,
  createdAtMs: ms,
  endedAtMs: maybe(ms),
});

const anyTiming = fc.record({
  rule: fc.oneof(
    fc.constant({ kind: "cron", cron: "0 3 * * *", timeZone: "Europe/Berlin" } as const),
    fc.record({ kind: fc.constant("every" as const), everyMs: fc.integer({ min: 1000, max: 1e9 }), anchorMs: ms }),
  ),
  startAtMs: maybe(ms),
  endAtMs: fc.constant(null),
});

const anySchedule: fc.Arbitrary<Schedule> = fc.record({
  id: text,
  version: count,
  timing: anyTiming,
  task: fc.record({
    type: text,
    payload: json,
    metadata,
    maxAttempts: maybe(fc.integer({ min: 1, max: 100 })),
    timeoutMs: maybe(fc.integer({ min: 1, max: 1e9 })),
  }),
  overlap: fc.constantFrom("skip", "buffer_one", "allow"),
  catchUp: count,
  isPaused: fc.boolean(),
  createdAtMs: ms,
  updatedAtMs: ms,
  origin: fc.record({ traceparent }),
  nextTickMs: maybe(ms),
  heldTickMs: maybe(ms),
  lookAtMs: maybe(ms),
  lastRun: maybe(fc.record({ taskId: text, scheduledForMs: ms })),
  fired: count,
  skipped: count,
  missed: count,
});

/** JSON of somebody else's, which is taken as it is. */
const opaque: readonly string[] = ["payload", "result", "payload_schema"];

/** Without what protobuf leaves out: null, and the default of a field that has no presence. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value)
    .map(([name, member]) => [name, opaque.includes(name) ? member : withoutDefaults(member)] as const)
    .filter(([name, member]) => member !== null && (opaque.includes(name) || !isDefault(member)));
  return Object.fromEntries(members);
}

function isDefault(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === "" || value === 0 || value === false;
}

/** Numbers of 64 bits are texts in what protobuf writes; times have as many digits of a second as they need. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (name, member) => {
    const isLong = ["duration_ms", "matched", "moved", "failed", "count", "fired", "skipped", "missed"].includes(name);
    if (isLong && typeof member === "string") return Number(member);
    const isTime = typeof member === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(member);
    return isTime ? new Date(member).toISOString() : member;
  });
}

function isSame(schema: DescMessage, record: object): void {
  const written: JsonValue = JSON.parse(writeJson(record));
  const message = fromBinary(schema, toBinary(schema, fromJson(schema, written)));
  const again = toJson(schema, message, { useProtoFieldName: true });
  expect(withoutDefaults(plain(again))).toEqual(withoutDefaults(plain(written)));
}

const records: [noun: string, schema: DescMessage, anyRecord: fc.Arbitrary<object>][] = [
  ["a task", TaskSchema, fc.tuple(anyTask, anyTimeline).map(([task, timeline]) => toTask(task, timeline))],
  ["an entry of a timeline", TimelineEntrySchema, anyEntry.map(toTimelineEntry)],
  [
    "a dead letter",
    DeadLetterSchema,
    fc.tuple(anyLetter, anyTimeline).map(([letter, timeline]) => toDeadLetter(letter, timeline)),
  ],
  [
    "a group of dead letters",
    DeadLetterGroupSchema,
    fc
      .record({ type: text, group: text, count, firstSeenMs: ms, lastSeenMs: ms, sample: anyLetter })
      .map((group) => toGroup(group)),
  ],
  ["a redrive", RedriveSchema, anyRedrive.map((redrive) => toRedrive(redrive))],
  ["a redrive that is only counted", RedriveSchema, fc.record({ matched: count, refused: count }).map(toDryRun)],
  [
    "an unreadable message",
    UnreadableMessageSchema,
    fc.record({ messageId: text, body: text, attributes: metadata, reason: text, atMs: ms }).map(toUnreadable),
  ],
  [
    "a schedule",
    ScheduleSchema,
    fc
      .tuple(anySchedule, fc.option(fc.constantFrom(...taskStatuses), { nil: undefined }))
      .map(([schedule, status]) => toSchedule(schedule, status)),
  ],
  [
    "a task type",
    TaskTypeSchema,
    fc
      .record({
        type: text,
        maxAttempts: maybe(fc.integer({ min: 1, max: 100 })),
        timeoutMs: maybe(fc.integer({ min: 1, max: 1e9 })),
        isolation: fc.constantFrom("shared" as const, "exclusive" as const),
        payloadSchema: maybe(fc.constantFrom("{}", "true", '{"type":"object"}')),
      })
      .map(toTaskType),
  ],
];

describe("a record", () => {
  test.each(records)("of %s is a message of the proto, and comes back the same", (_, schema, anyRecord) => {
    fc.assert(fc.property(anyRecord, (record) => isSame(schema, record)));
  });
});

test("a new task is written as any task is", () => {
  const [id, traceId] = ["0199a0b2-7c4e-7d3a-9f61-2b8f0c5d4e17", "4bf92f3577b34da6a3ce929d0e0e4736"];
  const anyNewTask = fc.record({
    type: fc.stringMatching(taskTypePattern),
    status: fc.constantFrom("queued" as const, "scheduled" as const),
    payload: json,
    metadata,
    maxAttempts: count,
    timeoutMs: maybe(count),
    correlationId: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
    runAtMs: ms,
  });
  fc.assert(
    fc.property(anyNewTask, ms, (task, atMs) => {
      const more = { id, isTimed: false, origin: {}, sendAtMs: 0, idempotency: null };
      const record = toCreatedTask({ ...more, ...task }, { atMs, service: "task-service", traceId, spanId: "" });
      expect(writeNewTask(record)).toBe(writeJson(toTask(record, [])));
    }),
  );
});
