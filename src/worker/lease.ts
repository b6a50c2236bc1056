/**
 * Keeps the leases of everything that this worker has claimed: the message's visibility and the claim in the store,
 * together, in batches, from outside the handlers' threads, so that a handler which never yields cannot starve them. A
 * lease that could not be kept aborts its attempt.
 */

import type { Clock } from "../clock.ts";
import { toTaskError } from "../errors.ts";
import type { Queue, ReceivedMessage } from "../queue/queue.ts";
import type { Lease, Store } from "../store/store.ts";
import type { Logger } from "../telemetry/log.ts";
import { housekeeping } from "../telemetry/tracing.ts";

export interface HeldLease extends Lease {
  message: ReceivedMessage;
  onLost(): void;
}

export interface LeaseKeeper {
  hold(lease: HeldLease): void;
  release(lease: HeldLease): void;
  /** Prolongs until the signal aborts. */
  loop(signal: AbortSignal): Promise<void>;
}

export interface LeaseKeeperDeps {
  store: Store;
  queue: Queue;
  clock: Clock;
  log: Logger;
  leaseMs: number;
}

export function createLeaseKeeper({ store, queue, clock, log, leaseMs }: LeaseKeeperDeps): LeaseKeeper {
  const held = new Map<string, { lease: HeldLease; untilMs: number }>();

  const prolong = async (): Promise<void> => {
    if (held.size === 0) return;
    const nowMs = clock.nowMs();
    const leases = [...held.values()].map(({ lease }) => lease);
    const lost = await store.extend(
      leases.map(({ id, claim }) => ({ id, claim })),
      leaseMs,
      nowMs,
      housekeeping,
    );
    for (const lease of leases) {
      if (lost.includes(lease.id)) lose(lease);
      else if (held.has(lease.id)) held.set(lease.id, { lease, untilMs: nowMs + leaseMs });
    }
    const kept = leases.filter(({ id }) => held.has(id));
    const results = await Promise.allSettled(kept.map(({ message }) => queue.changeVisibility(message, leaseMs)));
    // The claim in the store decides who may run; a message that comes too early is put back by whoever receives it.
    const failed = results.filter(({ status }) => status === "rejected").length;
    if (failed > 0) log.warn("could not prolong the visibility of messages", { count: failed });
  };

  const lose = (lease: HeldLease): void => {
    if (held.delete(lease.id)) lease.onLost();
  };

  /** When the store has not answered for a whole lease, others may have taken the tasks. */
  const loseOverdue = (): void => {
    const nowMs = clock.nowMs();
    for (const { lease, untilMs } of held.values()) if (untilMs < nowMs) lose(lease);
  };

  return {
    hold: (lease) => held.set(lease.id, { lease, untilMs: clock.nowMs() + leaseMs }),
    release: (lease) => held.delete(lease.id),
    loop: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(leaseMs / 3, signal);
        await prolong().catch((error: unknown) => log.warn("could not prolong leases", { error: toTaskError(error) }));
        loseOverdue();
      }
    },
  };
}
