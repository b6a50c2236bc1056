/** The queues of the broker by their names, with their attributes, the room that they share and the list of what is due. */

import { allowedBytes } from "../host/runtime.ts";
import { type Clock, systemClock } from "../limits/clock.ts";
import { MessageQueue, Room } from "./message-queue.ts";
import { defaultAttributes, type QueueAttributes, type QueueRules, rulesOf } from "./queue-attributes.ts";
import { TimeList } from "./time-list.ts";

/** As ElasticMQ and others have them. */
export const account = "000000000000";
const region = "us-east-1";

/** A queue with what was set for it. */
export class BrokerQueue extends MessageQueue {
  readonly attributes: QueueAttributes = defaultAttributes();
  rules: QueueRules = rulesOf(this.attributes);
  createdAtMs = 0;
  modifiedAtMs = 0;
}

/** Half a gigabyte is some 500,000 messages of tasks; a small container keeps three quarters of its memory for the rest. */
function usualLimitBytes(): number {
  return Math.min(512 * 1024 * 1024, Math.floor(allowedBytes() / 4));
}

interface QueuesOptions {
  clock?: Clock;
  limitBytes?: number;
  /** Something is due earlier than all that was before it; undefined: the queues' owner calls `runDue` by itself. */
  onEarlier?(dueMs: number): void;
}

export class Queues {
  readonly clock: Clock;
  readonly room: Room;
  readonly #byName = new Map<string, BrokerQueue>();
  readonly #times: TimeList;

  constructor({ clock = systemClock, limitBytes = usualLimitBytes(), onEarlier = () => {} }: QueuesOptions = {}) {
    this.clock = clock;
    this.room = new Room(limitBytes);
    this.#times = new TimeList(onEarlier);
  }

  /** In the order of their names. */
  all(): BrokerQueue[] {
    return [...this.#byName.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  find(name: string): BrokerQueue | undefined {
    return this.#byName.get(name);
  }

  /** The region of an ARN is its caller's own matter. */
  findByArn(arn: string): BrokerQueue | undefined {
    return this.#byName.get(arn.slice(arn.lastIndexOf(":") + 1));
  }

  create(name: string, attributes: QueueAttributes): BrokerQueue {
    const { clock, room } = this;
    const arn = `arn:aws:sqs:${region}:${account}:${name}`;
    const queue = new BrokerQueue(name, arn, { clock, room, times: this.#times });
    queue.createdAtMs = clock.nowMs();
    this.#byName.set(name, queue);
    this.set(queue, attributes);
    return queue;
  }

  /** An empty text takes an attribute away. */
  set(queue: BrokerQueue, attributes: QueueAttributes): void {
    for (const [name, text] of attributes) {
      if (text === "") queue.attributes.delete(name);
      else queue.attributes.set(name, text);
    }
    queue.modifiedAtMs = this.clock.nowMs();
    queue.rules = rulesOf(queue.attributes);
    const { redrive } = queue.rules;
    queue.redrive = redrive && {
      maxReceives: redrive.maxReceives,
      target: () => this.findByArn(redrive.targetArn),
    };
  }

  delete(queue: BrokerQueue): void {
    this.#byName.delete(queue.name);
    queue.close();
  }

  /** Does what is due by now; gives when the next is, or undefined. */
  runDue(): number | undefined {
    const nowMs = this.clock.monotonicMs();
    let isAny = false;
    for (let item = this.#times.takeDue(nowMs); item; item = this.#times.takeDue(nowMs)) {
      item.onDue();
      isAny = true;
    }
    if (isAny) for (const queue of this.#byName.values()) queue.wake();
    return this.#times.firstDueMs;
  }

  endPolls(): void {
    for (const queue of this.#byName.values()) queue.endPolls();
  }
}
