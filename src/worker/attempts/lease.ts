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

interface HeldLease extends Lease {
  message: ReceivedMessage;
  onLost(): void;
  /** Its user wants the task to end; told each time the lease is prolonged. */
  onCanceled(): void;
}

export interface LeaseKeeper {
  /** `sinceMs`: when the claim left for the store, on the monotonic clock; its lease counts from then, or from later. */
  hold(lease: HeldLease, sinceMs: number): void;
  /**
   * Gives it up; resolves when no change of its message's visibility is under way any more, which would undo what the
   * message is settled with.
   */
  release(lease: HeldLease): Promise<void>;
  /** Prolongs until the signal aborts. */
  loop(signal: AbortSignal): Promise<void>;
}

export interface LeaseKeeperDeps {
  store: Pick<AttemptStore, "extend">;
  queue: Queue;
  clock: Clock;
  log: Logger;
  leaseMs: number;
}

export function createLeaseKeeper({ store, queue, clock, log, leaseMs }: LeaseKeeperDeps): LeaseKeeper {
  /** Each lease, and until when it is known to hold, on the monotonic clock. */
  const held = new Map<HeldLease, number>();
  let prolonging: Promise<void> | undefined;
  /** The change of visibility that the broker has not answered yet; the next one waits for its turn. */
  let hiding: { leases: ReadonlySet<HeldLease>; done: Promise<void> } | undefined;

  const prolong = async (): Promise<void> => {
    const leases = [...held.keys()];
    if (leases.length === 0) return;
    const asked = leases.map(({ id, claim }) => ({ id, claim }));
    const sinceMs = clock.monotonicMs();
    const states = await store.extend(asked, leaseMs, clock.nowMs(), housekeeping);
    for (const [index, lease] of leases.entries()) {
      if (!held.has(lease)) continue;
      if (states[index] === "lost") lose(lease);
      else held.set(lease, sinceMs + leaseMs);
      if (states[index] === "canceled") lease.onCanceled();
    }
    const kept = new Set(leases.filter((lease) => held.has(lease)));
    hiding ??= {
      leases: kept,
      done: hide(kept).finally(() => {
        hiding = undefined;
      }),
    };
  };

  const hide = async (leases: ReadonlySet<HeldLease>): Promise<void> => {
    const results = await queue.settle([...leases].map(({ message }) => ({ message, hideMs: leaseMs })));
    // The claim in the store decides who may run; a message that comes too early is put back by its receiver.
    const failed = results.filter(({ kind }) => kind === "failed").length;
    if (failed > 0) log.warn("could not prolong the visibility of messages", { count: failed });
  };

  const lose = (lease: HeldLease): void => {
    if (held.delete(lease)) lease.onLost();
  };

  /** When the store has not answered for a whole lease, others may have taken the tasks. */
  const loseOverdue = (): void => {
    const nowMs = clock.monotonicMs();
    for (const [lease, untilMs] of held) if (untilMs <= nowMs) lose(lease);
  };

  const prolongAll = (): void => {
    prolonging ??= prolong()
      .catch((error: unknown) => log.warn("could not prolong leases", { error: toTaskError(error) }))
      .finally(() => {
        prolonging = undefined;
      });
  };

  return {
    hold: (lease, sinceMs) => {
      held.set(lease, sinceMs + leaseMs);
      // The claim's answer took so long that the lease might end before the loop comes to it.
      if (clock.monotonicMs() - sinceMs > leaseMs / 3) prolongAll();
    },
    release: async (lease) => {
      held.delete(lease);
      if (hiding?.leases.has(lease)) await hiding.done;
    },
    loop: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(leaseMs / 3, signal);
        // A store that does not answer must not keep us from seeing that its leases are over.
        prolongAll();
        loseOverdue();
      }
      await prolonging;
      await hiding?.done;
    },
  };
}
