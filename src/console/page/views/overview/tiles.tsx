/** What happened within the time that is shown, and how it stands now. */

import type { OverviewView } from "../../../overview.ts";
import { newestOf, showCount, showFigure, totalOf } from "../../parts/figure.ts";

interface Tile {
  name: string;
  figure: string;
  more: string;
  href: string;
  tone?: "bad" | "warn";
}

export function Tiles({ data }: { data: OverviewView }) {
  return (
    <ul class="tiles">
      {tilesOf(data).map(({ name, figure, more, href, tone }) => (
        <li key={name}>
          <a class={`tile ${tone ?? ""}`} href={href}>
            <span class="tile-name">{name}</span>
            <b class="tile-figure">{figure}</b>
            <span class="quiet small">{more}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function tilesOf({ rates, step_ms, queues, threads, active }: OverviewView): Tile[] {
  const counted = (values: readonly (number | null)[]) => ({
    figure: showCount(Math.round((totalOf(values) * step_ms) / 1000)),
    more: `${showFigure(newestOf(values) ?? 0, "rate")} now`,
    isSome: totalOf(values) > 0,
  });
  const created = counted(rates.submitted);
  const done = counted(rates.succeeded);
  const failed = counted(rates.failed);
  const dead = counted(rates.dead);
  const waiting = sumOf([active.queued, active.retrying].map((values) => newestOf(values ?? [])));
  const oldest = Math.max(0, ...queues.slice(0, 1).map(({ oldest_age }) => newestOf(oldest_age) ?? 0));
  const [busy, idle] = [newestOf(threads.busy), newestOf(threads.idle)];
  return [
    { name: "Created", href: "/tasks", ...created },
    { name: "Completed", href: "/tasks?status=succeeded", ...done },
    { name: "Failed attempts", href: "/traces?error=true", ...failed, ...(failed.isSome && { tone: "warn" }) },
    { name: "Dead", href: "/dead-letters", ...dead, ...(dead.isSome && { tone: "bad" }) },
    {
      name: "Waiting",
      href: "/tasks?status=queued",
      figure: waiting === null ? "–" : showCount(waiting),
      more: oldest > 0 ? `oldest ${showFigure(oldest, "seconds")}` : "nothing waits",
    },
    {
      name: "Threads busy",
      href: "/system",
      figure: busy === null ? "–" : `${showCount(busy)} of ${showCount(busy + (idle ?? 0))}`,
      more: runsText(newestOf(threads.tasks) ?? 0),
    },
  ];
}

function runsText(tasks: number): string {
  return tasks === 1 ? "1 task runs" : `${showCount(tasks)} tasks run`;
}

function sumOf(values: readonly (number | null)[]): number | null {
  const told = values.filter((value) => value !== null);
  return told.length === 0 ? null : told.reduce((sum, value) => sum + value, 0);
}
