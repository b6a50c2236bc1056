/** The embedded broker's messages, against a plain model of what SQS says of them. The clock is the test's. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Message, type MessageContent, overheadBytes, Poll } from "../../src/broker/message-queue.ts";
import { type BrokerQueue, Queues } from "../../src/broker/queues.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const secondMs = 1000;
const maxReceives = 3;
const bytes = 100;

function contentOf(id: string, group = ""): MessageContent {
  return { id, body: '"x"', bodyMd5: "", attributes: "", attributesMd5: "", traceHeader: "", group, bytes };
}

/** Queues `tasks` and `dead`, with a redrive policy from the one to the other. */
function openQueues(limitBytes = 1e9) {
  const clock = createFakeClock(0);
  const queues = new Queues({ clock, limitBytes });
  const dead = queues.create("dead", new Map());
  const policy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: maxReceives });
  const tasks = queues.create("tasks", new Map([["RedrivePolicy", policy]]));
  return { clock, queues, tasks, dead };
}

/** What the model knows of a message that is not gone. */
interface Known {
  queue: "tasks" | "dead";
  state: "ready" | "delayed" | "hidden";
  dueMs: number;
  receives: number;
  receipt: string;
}

/** What a receive gave. */
interface Given {
  id: string;
  receives: number;
  receipt: string;
}

const given = ({ content, receives, receipt }: Message): Given => ({ id: content.id, receives, receipt });

class Model {
  readonly known = new Map<string, Known>();
  nowMs = 0;

  pass(ms: number): void {
    this.nowMs += ms;
    for (const each of this.known.values()) {
      if (each.state !== "ready" && each.dueMs <= this.nowMs) each.state = "ready";
    }
  }

  of(queue: string, state: string): Known[] {
    return [...this.known.values()].filter((each) => each.queue === queue && each.state === state);
  }

  counts(queue: string) {
    const [ready, delayed, hidden] = ["ready", "delayed", "hidden"].map((state) => this.of(queue, state).length);
    return { ready: ready ?? 0, delayed: delayed ?? 0, hidden: hidden ?? 0 };
  }

  /** `moved`: those that the dead-letter queue has got meanwhile. */
  move(moved: readonly string[]): void {
    for (const id of moved) {
      const each = this.known.get(id);
      expect(each).toMatchObject({ queue: "tasks", state: "ready", receives: maxReceives });
      if (each) Object.assign(each, { queue: "dead", receives: 0, receipt: "" });
    }
  }

  receive(queue: string, messages: readonly Given[], hideMs: number): void {
    expect(new Set(messages.map(({ id }) => id)).size).toBe(messages.length);
    for (const { id, receives, receipt } of messages) {
      const each = this.known.get(id);
      expect(each).toMatchObject({ queue, state: "ready", receives: receives - 1 });
      if (!each) continue;
      const state = hideMs > 0 ? "hidden" : "ready";
      Object.assign(each, { state, dueMs: this.nowMs + hideMs, receives, receipt });
    }
  }

  find(receipt: string): [string, Known] | undefined {
    return [...this.known].find(([, each]) => each.receipt === receipt);
  }
}

type Command =
  | { kind: "send"; delayMs: number; group: string }
  | { kind: "receive" | "poll"; from: "tasks" | "dead"; max: number; hideMs: number; waitMs: number }
  | { kind: "delete" | "hide"; receipt: number; hideMs: number }
  | { kind: "pass"; ms: number }
  | { kind: "purge"; from: "tasks" | "dead" };

const timeMs = fc.nat({ max: 5 }).map((each) => each * secondMs);
const from = fc.constantFrom("tasks" as const, "tasks" as const, "dead" as const);
const max = fc.integer({ min: 1, max: 10 });
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({ kind: fc.constant("send" as const), delayMs: timeMs, group: fc.constantFrom("", "a", "b") }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constantFrom("receive" as const, "poll" as const),
      from,
      max,
      hideMs: timeMs,
      waitMs: timeMs,
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constantFrom("delete" as const, "hide" as const),
      receipt: fc.nat(),
      hideMs: timeMs,
    }),
  },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: timeMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("purge" as const), from }) },
);

/** The real queues beside the model: each command is done to both. */
class Both {
  readonly real = openQueues();
  readonly model = new Model();
  readonly #receipts: [queue: "tasks" | "dead", receipt: string][] = [];
  readonly #polls = new Map<Poll, { from: "tasks" | "dead"; endMs: number }>();
  /** What polls got since the last look. */
  readonly #got: { poll: Poll; messages: Given[] | undefined }[] = [];
  #sent = 0;

  async run(next: Command): Promise<void> {
    if (next.kind === "send") this.#send(next.delayMs, next.group);
    else if (next.kind === "pass") await this.#pass(next.ms);
    else if (next.kind === "purge") this.#purge(next.from);
    else if ("receipt" in next) this.#settle(next);
    else if (next.kind === "receive") this.#receive(next);
    else this.#poll(next);
    this.#look();
  }

  #send(delayMs: number, group: string): void {
    const id = String(this.#sent++);
    expect(this.real.tasks.send(contentOf(id, group), delayMs)).toBe(true);
    const state = delayMs > 0 ? "delayed" : "ready";
    this.model.known.set(id, { queue: "tasks", state, dueMs: this.model.nowMs + delayMs, receives: 0, receipt: "" });
    this.real.tasks.wake();
  }

  #receive({ from, max, hideMs }: { from: "tasks" | "dead"; max: number; hideMs: number }): void {
    const messages = this.real[from].receive(max, hideMs);
    this.model.move(this.#movedSince());
    const left = this.model.of(from, "ready").filter((each) => from === "dead" || each.receives < maxReceives).length;
    expect(messages.length).toBe(Math.min(max, left));
    this.#took(from, messages.map(given), hideMs);
  }

  #took(from: "tasks" | "dead", messages: readonly Given[], hideMs: number): void {
    this.model.receive(from, messages, hideMs);
    this.#receipts.push(...messages.map(({ receipt }): ["tasks" | "dead", string] => [from, receipt]));
  }

  #poll({ from, max, hideMs, waitMs }: { from: "tasks" | "dead"; max: number; hideMs: number; waitMs: number }): void {
    const queue = this.real[from];
    if (queue.counts.ready > 0 || waitMs === 0) return;
    const poll: Poll = new Poll(queue, { max, hideMs }, (messages) =>
      this.#got.push({ poll, messages: messages?.map(given) }),
    );
    this.#polls.set(poll, { from, endMs: this.model.nowMs + waitMs });
    queue.wait(poll, waitMs);
  }

  async #pass(ms: number): Promise<void> {
    await this.real.clock.advance(ms);
    this.real.queues.runDue();
    this.model.pass(ms);
  }

  #purge(from: "tasks" | "dead"): void {
    this.real[from].purge();
    for (const [id, { queue }] of this.model.known) if (queue === from) this.model.known.delete(id);
  }

  /** With any receipt that was ever given. */
  #settle({ kind, receipt: number, hideMs }: { kind: "delete" | "hide"; receipt: number; hideMs: number }): void {
    const chosen = this.#receipts[number % Math.max(1, this.#receipts.length)];
    if (!chosen) return;
    const [from, receipt] = chosen;
    const queue: BrokerQueue = this.real[from];
    const message = queue.find(receipt);
    const known = this.model.find(receipt);
    if (!known) {
      expect(message).toBe("stale");
      return;
    }
    const [id, each] = known;
    if (message === "stale" || message === undefined) throw new Error(`the receipt of ${id} is not known`);
    expect(message.content.id).toBe(id);
    if (kind === "delete") {
      queue.delete(message);
      this.model.known.delete(id);
    } else if (each.state === "hidden") {
      queue.hide(message, hideMs);
      Object.assign(each, { dueMs: this.model.nowMs + hideMs, state: hideMs > 0 ? "hidden" : "ready" });
      queue.wake();
    }
  }

  /** Those that the model has in the queue of tasks, and the dead-letter queue has. */
  #movedSince(): string[] {
    return [...this.model.known].flatMap(([id, each]) => {
      const isSpent = each.queue === "tasks" && each.state === "ready" && each.receives === maxReceives;
      return isSpent && !this.#isIn("tasks", each) ? [id] : [];
    });
  }

  #isIn(queue: "tasks" | "dead", { receipt }: Known): boolean {
    return this.real[queue].find(receipt) !== "stale";
  }

  #look(): void {
    const { model, real } = this;
    model.move(this.#movedSince());
    for (const { poll, messages } of this.#got.splice(0)) {
      const { from, endMs } = this.#polls.get(poll) ?? { from: "tasks" as const, endMs: 0 };
      this.#polls.delete(poll);
      if (messages?.length === 0) expect(endMs).toBeLessThanOrEqual(model.nowMs);
      this.#took(from, messages ?? [], poll.hideMs);
      model.move(this.#movedSince());
    }
    for (const [, { from, endMs }] of this.#polls) {
      expect(endMs).toBeGreaterThan(model.nowMs);
      expect(real[from].counts.ready).toBe(0);
    }
    expect({ tasks: real.tasks.counts, dead: real.dead.counts }).toEqual({
      tasks: model.counts("tasks"),
      dead: model.counts("dead"),
    });
    expect(real.queues.room.usedBytes).toBe(model.known.size * (bytes + overheadBytes));
  }
}

describe("messages", () => {
  test("are as a plain model has them, in whatever order they are sent, received, hidden, deleted and dead-lettered", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 120, size: "max" }), async (commands) => {
        const both = new Both();
        for (const next of commands) await both.run(next);
      }),
      { numRuns: 300 },
    );
  });
});

describe("groups", () => {
  const receiveAll = (queue: BrokerQueue, max: number) =>
    Array.from({ length: 3 }, () => queue.receive(max, secondMs).map(({ content }) => content.id)).flat();

  test("take turns, and one with a long backlog does not hold up the others", () => {
    const { tasks } = openQueues();
    for (const id of ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]) tasks.send(contentOf(id, id.charAt(0)), 0);
    expect(receiveAll(tasks, 3)).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
  });

  test("keep their order within, and those without a group are one", () => {
    const { tasks } = openQueues();
    for (const id of ["1", "2", "b1", "3", "b2"]) tasks.send(contentOf(id, id.startsWith("b") ? "b" : ""), 0);
    expect(receiveAll(tasks, 10)).toEqual(["1", "b1", "2", "b2", "3"]);
  });
});

describe("the room", () => {
  test("takes no more than its limit, counts what it refuses, and has room again when messages are deleted", () => {
    const { queues, tasks } = openQueues(2 * (bytes + overheadBytes));
    const send = (id: string) => tasks.send(contentOf(id), 0);
    expect(["1", "2", "3"].map(send)).toEqual([true, true, false]);
    expect(queues.room).toMatchObject({ refused: 1, usedBytes: 2 * (bytes + overheadBytes) });
    const [message] = tasks.receive(1, secondMs);
    if (message) tasks.delete(message);
    expect(send("4")).toBe(true);
    tasks.purge();
    expect(queues.room.usedBytes).toBe(0);
  });
});

describe("a queue that is deleted", () => {
  test("ends the polls that wait for it", () => {
    const { queues, tasks } = openQueues();
    const ends: unknown[] = [];
    tasks.wait(new Poll(tasks, { max: 1, hideMs: 0 }, (messages) => ends.push(messages)), 20 * secondMs);
    queues.delete(tasks);
    expect(ends).toEqual([undefined]);
    expect(queues.runDue()).toBeUndefined();
  });

  test("takes no messages of others with it: those that would go there stay", () => {
    const { queues, tasks, dead } = openQueues();
    queues.delete(dead);
    tasks.send(contentOf("1"), 0);
    for (let receives = 1; receives <= maxReceives + 2; receives++) {
      expect(tasks.receive(1, 0)).toMatchObject([{ receives }]);
    }
  });
});

describe("a receipt", () => {
  test("of a queue of that name before it was made anew is stale, and any other text is none", () => {
    const { queues, tasks } = openQueues();
    tasks.send(contentOf("1"), 0);
    const receipt = tasks.receive(1, secondMs)[0]?.receipt ?? "";
    queues.delete(tasks);
    const again = queues.create("tasks", new Map());
    expect(again.find(receipt)).toBe("stale");
    const others = ["", "tasks", receipt.replace("tasks", "other"), `${again.receiptPrefix}x/1`, again.receiptPrefix];
    expect(others.map((each) => again.find(each))).toEqual(others.map(() => undefined));
  });
});
