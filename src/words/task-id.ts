/** The ids of tasks: how one is made, known, and read for the time that is in it. */

import { v7 as uuidv7, validate, version } from "uuid";

/** A new task id: UUIDv7 (RFC 9562), so that ids sort by time and tell when the task was made. */
export function newTaskId(): string {
  return uuidv7();
}

export function isTaskId(text: string): boolean {
  return validate(text) && version(text) === 7;
}

const uuidSpellings = [/^([0-9a-f-]{36})$/i, /^\{([0-9a-f-]{36})\}$/i, /^urn:uuid:([0-9a-f-]{36})$/i];

/** A UUID in small letters (RFC 9562, 4), however its caller writes it: in capitals, in braces, as a URN. Other texts stay as they are. */
export function canonicalId(text: string): string {
  for (const spelling of uuidSpellings) {
    const [, uuid] = spelling.exec(text) ?? [];
    if (uuid !== undefined) return uuid.toLowerCase();
  }
  return text;
}

/** No UUIDv7 made at or after `ms` sorts before this (RFC 9562: the first 48 bits are the time). */
export function firstIdAt(ms: number): string {
  const hex = Math.min(maxIdMs, Math.max(0, Math.floor(ms)))
    .toString(16)
    .padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

const maxIdMs = 2 ** 48 - 1;

/** When the task of this id was made, milliseconds since the epoch: the first 48 bits of a UUIDv7. */
export function createdAtMsOf(taskId: string): number {
  return Number.parseInt(taskId.slice(0, 8) + taskId.slice(9, 13), 16);
}
