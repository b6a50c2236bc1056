/** Dead letters and redrives in protobuf's JSON form, as the RPC gives them. */

import type { DeadLetterGroupJson, DeadLetterJson, RedriveJson, UnreadableMessageJson } from "../gen/tasks_pb.ts";
import type { DeadGroup, DeadLetter, UnreadableMessage } from "../store/ports/dead-letters.ts";
import type { Redrive, RedriveOutcome } from "../store/ports/redrives.ts";
import { errorOfDeath, toPattern } from "../words/dead-group.ts";
import type { TimelineEntry } from "../words/task.ts";
import { toTaskJson, toTimestamp } from "./task-view.ts";

export function toDeadLetterJson(letter: DeadLetter, timeline: readonly TimelineEntry[]): DeadLetterJson {
  return {
    task: toTaskJson(letter.task, timeline),
    reason: letter.reason,
    diedAt: toTimestamp(letter.diedAtMs),
    redrives: letter.task.redrives,
    traceId: traceIdOf(letter),
    group: letter.group,
  };
}

export function toDeadLetterGroupJson(found: DeadGroup): DeadLetterGroupJson {
  const { sample } = found;
  const { type, message } = errorOfDeath(sample.task.error, sample.reason);
  return {
    type: found.type,
    group: found.group,
    error: { type, message: toPattern(message) },
    count: String(found.count),
    firstSeen: toTimestamp(found.firstSeenMs),
    lastSeen: toTimestamp(found.lastSeenMs),
    taskId: sample.task.id,
    traceId: traceIdOf(sample),
  };
}

/** version-traceid-spanid-flags */
function traceIdOf({ deathTraceparent }: DeadLetter): string {
  return deathTraceparent.split("-")[1] ?? "";
}

export function toRedriveJson(redrive: Redrive, outcome?: RedriveOutcome): RedriveJson {
  return {
    id: redrive.id,
    status: redrive.status,
    matched: String(redrive.matched),
    moved: String(redrive.moved),
    failed: String(redrive.failed),
    ...(redrive.ratePerSecond !== null && { ratePerSecond: redrive.ratePerSecond }),
    reason: redrive.reason.toWellFormed(),
    createdAt: toTimestamp(redrive.createdAtMs),
    ...(redrive.endedAtMs !== null && { endedAt: toTimestamp(redrive.endedAtMs) }),
    ...(outcome && {
      outcome: {
        followed: String(outcome.followed),
        succeeded: String(outcome.succeeded),
        dead: String(outcome.dead),
        canceled: String(outcome.canceled),
        discarded: String(outcome.discarded),
      },
    }),
  };
}

export function toUnreadableJson(message: UnreadableMessage): UnreadableMessageJson {
  const { messageId, body, attributes, reason, atMs } = message;
  const wellFormed = Object.entries(attributes).map(([name, value]) => [name.toWellFormed(), value.toWellFormed()]);
  return {
    messageId,
    body: body.toWellFormed(),
    attributes: Object.fromEntries(wellFormed),
    reason,
    receivedAt: toTimestamp(atMs),
  };
}
