/**
 * One standard queue: its messages, and the long polls that wait for them. A message is ready, delayed, hidden (received
 * and not deleted) or gone. Knows nothing of the protocol, and measures time on the monotonic clock alone.
 *
 * Promises: a message is given to one receiver at a time, for as long as it is hidden; only its newest receipt deletes or
 * hides it; it is in memory until it is deleted, whatever the retention period says, and what all queues hold together
 * stays within the room.
 */

import { randomBytes } from "node:crypto";
import type { Clock } from "../limits/clock.ts";
import { ReadyList } from "./ready-list.ts";
import { Timed, type TimeList } from "./time-list.ts";

/** What a message holds, as it was sent. */
export interface MessageContent {
  id: string;
  /** As JSON, as it is answered. */
  body: string;
  bodyMd5: string;
  /** As JSON; empty: it has none. */
  attributes: string;
  attributesMd5: string;
  /** `AWSTraceHeader`; empty: none. */
  traceHeader: string;
  /** Empty: none. */
  group: string;
  /** Of body, attributes and trace header: all that grows with what is sent. */
  bytes: number;
}

/** Of all queues together. */
export class Room {
  readonly limitBytes: number;
  usedBytes = 0;
  /** Messages that found no room. */
  refused = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }
}

/** What a message takes beside its bytes: its object, the texts' heads, its places in the lists. */
export const overheadBytes = 850;

export class Message extends Timed {
  readonly content: MessageContent;
  queue: MessageQueue;
  number: number;
  state: "ready" | "delayed" | "hidden" | "gone" = "gone";
  receives = 0;
  /** On the wall clock. */
  readonly sentAtMs: number;
  firstReceivedAtMs = 0;
  /** The queue that gave it up; empty: none has. */
  sourceArn = "";

  constructor(content: MessageContent, queue: MessageQueue, number: number, sentAtMs: number) {
    super();
    this.content = content;
    this.queue = queue;
    this.number = number;
    this.sentAtMs = sentAtMs;
  }

  get group(): string {
    return this.content.group;
  }

  get bytes(): number {
    return this.content.bytes + overheadBytes;
  }

  get receipt(): string {
    return `${this.queue.receiptPrefix}${this.number}/${this.receives}`;
  }

  onDue(): void {
    this.queue.reveal(this);
  }
}

/** A receive that waits for messages. */
export class Poll extends Timed {
  readonly queue: MessageQueue;
  readonly max: number;
  readonly hideMs: number;
  /** Undefined: the queue was deleted. Called once; one that is not hidden can be another's when it returns. */
  readonly end: (messages: Message[] | undefined) => void;

  constructor(queue: MessageQueue, receive: { max: number; hideMs: number }, end: Poll["end"]) {
    super();
    this.queue = queue;
    this.max = receive.max;
    this.hideMs = receive.hideMs;
    this.end = end;
  }

  onDue(): void {
    this.queue.leave(this);
    this.end([]);
  }
}

/** Where a message goes that was received too often. */
export interface Redrive {
  maxReceives: number;
  /** Undefined: there is no such queue now, and the message stays. */
  target(): MessageQueue | undefined;
}

export interface QueueDeps {
  clock: Clock;
  times: TimeList;
  room: Room;
}

export class MessageQueue {
  readonly name: string;
  readonly arn: string;
  /** Before the number of a message and of its receive. */
  readonly receiptPrefix: string;
  redrive: Redrive | undefined;
  readonly counts = { ready: 0, delayed: 0, hidden: 0 };
  readonly #deps: QueueDeps;
  readonly #messages = new Map<number, Message>();
  #ready = new ReadyList<Message>();
  readonly #polls = new Set<Poll>();
  #lastNumber = 0;

  constructor(name: string, arn: string, deps: QueueDeps) {
    this.name = name;
    this.arn = arn;
    this.#deps = deps;
    this.receiptPrefix = `${name}/${randomBytes(6).toString("hex")}/`;
  }

  /** False: there is no room for it. Who sends calls `wake` when all of a batch are in. */
  send(content: MessageContent, delayMs: number): boolean {
    const { clock, room, times } = this.#deps;
    const message = new Message(content, this, this.#nextNumber(), clock.nowMs());
    if (room.usedBytes + message.bytes > room.limitBytes) {
      room.refused += 1;
      return false;
    }
    room.usedBytes += message.bytes;
    this.#messages.set(message.number, message);
    if (delayMs > 0) {
      this.#enter(message, "delayed");
      times.add(message, clock.monotonicMs() + delayMs);
    } else {
      this.#enter(message, "ready");
    }
    return true;
  }

  /** Those that are ready, `max` at most, hidden from now on for `hideMs`. */
  receive(max: number, hideMs: number): Message[] {
    const { clock, times } = this.#deps;
    const messages: Message[] = [];
    let target: MessageQueue | undefined;
    while (messages.length < max) {
      const message = this.#ready.shift();
      if (message === undefined) break;
      // One that was deleted while it was ready is still in the list.
      if (message.state !== "ready") continue;
      const isSpent = this.redrive !== undefined && message.receives >= this.redrive.maxReceives;
      target = isSpent ? (this.redrive?.target() ?? target) : target;
      if (isSpent && target) this.#moveTo(target, message);
      else messages.push(message);
    }
    for (const message of messages) {
      message.receives += 1;
      message.firstReceivedAtMs ||= clock.nowMs();
      this.#leaveState(message);
      if (hideMs > 0) {
        this.#enter(message, "hidden");
        times.add(message, clock.monotonicMs() + hideMs);
      } else {
        this.#enter(message, "ready");
      }
    }
    target?.wake();
    return messages;
  }

  /** Gives messages to the polls that wait, the oldest poll first. */
  wake(): void {
    for (const poll of this.#polls) {
      if (this.counts.ready === 0) return;
      const messages = this.receive(poll.max, poll.hideMs);
      if (messages.length === 0) return;
      this.leave(poll);
      poll.end(messages);
    }
  }

  /** Waits for messages until `waitMs` are over. */
  wait(poll: Poll, waitMs: number): void {
    this.#polls.add(poll);
    this.#deps.times.add(poll, this.#deps.clock.monotonicMs() + waitMs);
  }

  /** Its receiver waits no more. */
  leave(poll: Poll): void {
    this.#polls.delete(poll);
    this.#deps.times.remove(poll);
  }

  /** The message whose newest receipt this is; `stale`: there was such a message or receive; undefined: no receipt at all. */
  find(receipt: string): Message | "stale" | undefined {
    if (!receipt.startsWith(this.receiptPrefix)) return isOfFormer(receipt, this.name) ? "stale" : undefined;
    const slash = receipt.indexOf("/", this.receiptPrefix.length);
    const number = Number(receipt.slice(this.receiptPrefix.length, slash));
    const receives = Number(receipt.slice(slash + 1));
    if (slash < 0 || !Number.isInteger(number) || !Number.isInteger(receives)) return undefined;
    const message = this.#messages.get(number);
    return message?.receives === receives ? message : "stale";
  }

  delete(message: Message): void {
    this.#forget(message);
    this.#deps.room.usedBytes -= message.bytes;
  }

  /** Hides one that is hidden for so long from now; 0: it is back at once. */
  hide(message: Message, hideMs: number): void {
    const { clock, times } = this.#deps;
    times.remove(message);
    if (hideMs > 0) times.add(message, clock.monotonicMs() + hideMs);
    else this.reveal(message);
  }

  /** One that was hidden or delayed can be received; its caller sees to `wake`. */
  reveal(message: Message): void {
    this.#leaveState(message);
    this.#enter(message, "ready");
  }

  /** Deletes all messages. */
  purge(): void {
    for (const message of this.#messages.values()) this.delete(message);
    this.#ready = new ReadyList();
  }

  /** The queue is deleted, and its messages with it; each poll that waits ends with undefined. */
  close(): void {
    this.purge();
    for (const poll of this.#polls) {
      this.leave(poll);
      poll.end(undefined);
    }
  }

  /** Ends every wait with nothing, as if its time were over. */
  endPolls(): void {
    for (const poll of this.#polls) poll.onDue();
  }

  #moveTo(target: MessageQueue, message: Message): void {
    this.#forget(message);
    target.#adopt(message, this.arn);
  }

  /** As it was sent; its receives are counted anew, or two queues that lead to each other would never end. */
  #adopt(message: Message, sourceArn: string): void {
    message.queue = this;
    message.number = this.#nextNumber();
    message.receives = 0;
    message.sourceArn = sourceArn;
    this.#messages.set(message.number, message);
    this.#enter(message, "ready");
  }

  #nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  #enter(message: Message, state: "ready" | "delayed" | "hidden"): void {
    message.state = state;
    this.counts[state] += 1;
    if (state === "ready") this.#ready.push(message);
  }

  #leaveState(message: Message): void {
    if (message.state !== "gone") this.counts[message.state] -= 1;
  }

  #forget(message: Message): void {
    this.#deps.times.remove(message);
    this.#leaveState(message);
    message.state = "gone";
    this.#messages.delete(message.number);
  }
}

/** Of a queue of this name before it was deleted, or before the broker started. */
function isOfFormer(receipt: string, name: string): boolean {
  return receipt.startsWith(`${name}/`) && receipt.split("/").length === 4;
}
