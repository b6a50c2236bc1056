/**
 * The indexes of the DynamoDB table, and what stands in them. The first has what is waited for: `lane`, which is what is waited for and a shard of it, and
 * `place`, which is a time and an id, so that a lane is in the order of time. A task stands in one lane at most: due for
 * sending, sent, or dead; what ended otherwise stands in none. The second has every task, by its id, for lists. So nothing is ever
 * looked for by a scan.
 */

/** Its name in the table. */
export const laneIndex = "lanes";

/** The second one's name, and its key in an item: the shard. What it knows besides never changes, so it costs one write. */
export const listIndex = "list";

/**
 * Each lane takes 1,000 writes a second (a partition's limit), and a task writes up to six of them in its life: these
 * carry about 2,600 tasks a second. More can be had at any time, as long as every process reads all of them; never less.
 */
export const shardCount = 16;

/** What a task can wait for. */
export type LaneKind = "due" | "sent" | "dead";

/** Lanes of what is few: the redrives that run, messages that name no task, and schedules. */
export const redriveLane = "redrive";
export const unreadableLane = "unreadable";
/** Schedules that something is to be done about, and those that rest. */
export const scheduleLane = "schedule";
export const idleScheduleLane = "schedule-idle";

/** Where something stands in the index. */
export interface Standing {
  lane: string;
  place: string;
}

export function standingOf(kind: LaneKind, atMs: number, id: string): Standing {
  return { lane: laneOf(kind, shardOf(id)), place: placeOf(atMs, id) };
}

/** Every lane of the kinds. */
export function lanesOf(...kinds: LaneKind[]): string[] {
  return kinds.flatMap((kind) => Array.from({ length: shardCount }, (_, shard) => laneOf(kind, shard)));
}

export function placeOf(atMs: number, id: string): string {
  return `${timeOf(atMs)}#${id}`;
}

/** Sorts after every place of that millisecond, and before those of the next. */
export function endOf(atMs: number): string {
  return `${timeOf(atMs)}#~`;
}

/** Places begin with their time. */
export function timeOfPlace(place: string): number {
  return Number(place.split("#", 1)[0]);
}

/** Digits enough for any date, so that text sorts as the numbers do. */
function timeOf(ms: number): string {
  return String(Math.max(0, Math.ceil(ms))).padStart(16, "0");
}

/** The shard of the second index that the task stands in, and all of them. */
export function shelfOf(id: string): string {
  return `tasks-${shardOf(id)}`;
}

export const shelves = Array.from({ length: shardCount }, (_, shard) => `tasks-${shard}`);

function laneOf(kind: LaneKind, shard: number): string {
  return `${kind}-${shard}`;
}

/** The end of a UUIDv7 is random. */
function shardOf(id: string): number {
  return Number.parseInt(id.slice(-4), 16) % shardCount;
}
