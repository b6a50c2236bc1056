/**
 * Keeps the leases of everything that this worker has claimed: the message's visibility and the claim in the store,
 * together, in batches, from outside the handlers' threads, so that a handler which never yields cannot starve them. A
 * lease that could not be kept aborts its attempt; a task that its user has canceled is learned of on the same way. The
 * claims do not wait for the queue: a broker that hangs ends none.
 */

import type { Clock } from "../../limits/clock.ts";
import type { Queue, ReceivedMessage } from "../../queue/queue.ts";
import type { AttemptStore, Lease } from "../../store/ports/attempts.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import { housekeeping } from "../../telemetry/spans/tracing.ts";
import { toTaskError } from "../../words/errors.ts";

/** The claim of a task, with the message that brought it. */
type MessageLease = Lease & { message: ReceivedMessage };

export interface LeaseKeeperDeps<Held extends MessageLease> {
  store: Pick<AttemptStore, "extend">;
  queue: Pick<Queue, "settle">;
  clock: Clock;
  log: Logger;
  leaseMs: number;
  onLost(lease: Held): void;
  /** Its user wants the task to end; called each time the lease is prolonged. */
  onCanceled(lease: Held): void;
}

export class LeaseKeeper<Held extends MessageLease> {
  readonly #deps: LeaseKeeperDeps<Held>;
  /** Each lease, and until when it is known to hold, on the monotonic clock. */
  readonly #held = new Map<Held, number>();
  #prolonging: Promise<void> | undefined;
  /** The change of visibility that the broker has not answered yet; the next one waits for its turn. */
  #hiding: { leases: ReadonlySet<Held>; done: Promise<void> } | undefined;

  constructor(deps: LeaseKeeperDeps<Held>) {
    this.#deps = deps;
  }

  /** `sinceMs`: when the claim left for the store, on the monotonic clock; its lease counts from then, or from later. */
  hold(lease: Held, sinceMs: number): void {
    const { clock, leaseMs } = this.#deps;
    this.#held.set(lease, sinceMs + leaseMs);
    // The claim's answer took so long that the lease might end before the loop comes to it.
    if (clock.monotonicMs() - sinceMs > leaseMs / 3) this.#prolongAll();
  }

  /**
   * Gives them up; resolves when no change of their messages' visibility is under way any more, which would undo what the
   * messages are settled with.
   */
  async release(leases: readonly Held[]): Promise<void> {
    for (const lease of leases) this.#held.delete(lease);
    const hiding = this.#hiding;
    if (hiding && leases.some((lease) => hiding.leases.has(lease))) await hiding.done;
  }

  /** Prolongs until the signal aborts. */
  async loop(signal: AbortSignal): Promise<void> {
    const { clock, leaseMs } = this.#deps;
    while (!signal.aborted) {
      await clock.sleep(leaseMs / 3, signal);
      // A store that does not answer must not keep us from seeing that its leases are over.
      this.#prolongAll();
      this.#loseOverdue();
    }
    await this.#prolonging;
    await this.#hiding?.done;
  }

  #prolongAll(): void {
    this.#prolonging ??= this.#prolong()
      .catch((error: unknown) => this.#deps.log.warn("could not prolong leases", { error: toTaskError(error) }))
      .finally(() => {
        this.#prolonging = undefined;
      });
  }

  async #prolong(): Promise<void> {
    const leases = [...this.#held.keys()];
    if (leases.length === 0) return;
    const { store, clock, leaseMs, onCanceled } = this.#deps;
    const asked = leases.map(({ id, claim }) => ({ id, claim }));
    const sinceMs = clock.monotonicMs();
    const states = await store.extend(asked, leaseMs, clock.nowMs(), housekeeping);
    for (const [index, lease] of leases.entries()) {
      if (!this.#held.has(lease)) continue;
      if (states[index] === "lost") this.#lose(lease);
      else this.#held.set(lease, sinceMs + leaseMs);
      if (states[index] === "canceled") onCanceled(lease);
    }
    const kept = new Set(leases.filter((lease) => this.#held.has(lease)));
    this.#hiding ??= {
      leases: kept,
      done: this.#hide(kept).finally(() => {
        this.#hiding = undefined;
      }),
    };
  }

  async #hide(leases: ReadonlySet<Held>): Promise<void> {
    const { queue, log, leaseMs } = this.#deps;
    const results = await queue.settle([...leases].map(({ message }) => ({ message, hideMs: leaseMs })));
    // The claim in the store decides who may run; a message that comes too early is put back by its receiver.
    const count = results.filter(({ kind }) => kind === "failed").length;
    if (count > 0) log.warn("could not prolong the visibility of messages", { count });
  }

  #lose(lease: Held): void {
    if (this.#held.delete(lease)) this.#deps.onLost(lease);
  }

  /** When the store has not answered for a whole lease, others may have taken the tasks. */
  #loseOverdue(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [lease, untilMs] of this.#held) if (untilMs <= nowMs) this.#lose(lease);
  }
}
