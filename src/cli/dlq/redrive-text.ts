/** A redrive in words. Pure. */

import { styles } from "../../terminal/style.ts";
import type { Canvas } from "../../terminal/table.ts";
import { type Fact, renderFacts } from "../../terminal/table.ts";
import { whenText } from "../../terminal/times.ts";
import type { RedriveAnswer } from "../api-answers.ts";

export function renderRedrive(redrive: RedriveAnswer, canvas: Canvas, nowMs: number): string[] {
  const facts: Fact[] = [
    ["redrive", redrive.id, styles.bold],
    ["status", redrive.status, styleOf(redrive)],
    ["matched", String(redrive.matched)],
    ["moved", String(redrive.moved)],
    ["left", redrive.failed === 0 ? null : `${redrive.failed}: ${leftBecause}`, styles.yellow],
    ["rate", redrive.rate_per_second === null ? null : `${redrive.rate_per_second} a second`],
    ["reason", redrive.reason],
    ["created", redrive.created_at && whenText(redrive.created_at, canvas, nowMs)],
    ["ended", redrive.ended_at && whenText(redrive.ended_at, canvas, nowMs)],
  ];
  return renderFacts(facts, canvas);
}

const leftBecause = "gone by then, or back dead from three redrives (--force takes those too)";

function styleOf({ status, failed }: RedriveAnswer): string | undefined {
  if (status === "completed") return failed === 0 ? styles.green : styles.yellow;
  return status === "running" ? styles.cyan : styles.yellow;
}

/** What a dry run says. */
export function dryRunText({ matched, failed }: RedriveAnswer): string {
  if (matched === 0) return "no dead letter fits";
  const left = failed === 0 ? "" : `; ${failed} of them would be left: ${leftBecause}`;
  return `${matched} ${matched === 1 ? "dead letter fits" : "dead letters fit"}${left}. Nothing was changed.`;
}

/** It goes on by itself until then. */
export function isOver({ status }: RedriveAnswer): boolean {
  return status === "completed" || status === "canceled";
}
