/** Dead letters and redrives as the API shows them. */

import type { z } from "zod";
import type { deadLetter, group, redrive } from "../../api/dead-letter.ts";

export type DeadLetter = z.output<typeof deadLetter>;
export type DeadGroup = z.output<typeof group>;
export type Redrive = z.output<typeof redrive>;

/** Which dead letters: as `POST /v1/dead-letters/redrive` takes it. */
export type Selection = { ids: readonly string[] } | { filter: DeadFilter };

export interface DeadFilter {
  type?: string;
  group?: string;
  since?: string;
  until?: string;
}

export function hasEnded({ status }: Pick<Redrive, "status">): boolean {
  return status === "completed" || status === "canceled";
}

/** Of the tasks that are followed, those that have not ended yet. */
export function underwayOf({ outcome }: Redrive): number {
  if (!outcome) return 0;
  const { followed, succeeded, dead, canceled, discarded } = outcome;
  return followed - succeeded - dead - canceled - discarded;
}

/** `412 of 420 succeeded`, and what else became of them; nothing while nothing was moved. */
export function outcomeText(ordered: Redrive): string {
  const { outcome, moved } = ordered;
  if (!outcome || outcome.followed === 0) return "";
  const which = moved > outcome.followed ? ` of the first ${outcome.followed} moved` : ` of ${outcome.followed}`;
  const others: [number, string][] = [
    [outcome.dead, "dead again"],
    [outcome.canceled, "canceled"],
    [outcome.discarded, "discarded"],
    [underwayOf(ordered), "underway"],
  ];
  const texts = others.flatMap(([count, word]) => (count > 0 ? `${count} ${word}` : []));
  return [`${outcome.succeeded}${which} succeeded`, ...texts].join(", ");
}
