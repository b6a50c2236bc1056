/** The view Overview: how it goes at the moment, and the minutes before. Every figure leads to what is behind it. */

import { useEffect } from "preact/hooks";
import { taskStatuses } from "../../../words/task.ts";
import type { DurationColumns, OverviewView } from "../../overview.ts";
import { useAnswer } from "../api.ts";
import { addressOf, changedQuery, here } from "../location.ts";
import { Chart, type ChartProps, type ChartSeries, pointed } from "../parts/chart.tsx";
import { newestOf, showCount, showFigure, totalOf } from "../parts/figure.ts";
import { Empty, PageHead, Problem } from "../parts/view.tsx";

const ranges = [
  { name: "5m", text: "5 min" },
  { name: "15m", text: "15 min" },
  { name: "1h", text: "1 h" },
] as const;
const usualRange = "5m";
/** Half of what roles take between two exports. */
const everyMs = 2500;

export function Overview() {
  const named = here.value.query.get("range");
  const range = ranges.find(({ name }) => name === named)?.name ?? usualRange;
  const { data, problem, again } = useAnswer<OverviewView>(`/overview?range=${range}`, { everyMs });
  useEffect(
    () => () => {
      pointed.value = undefined;
    },
    [range],
  );
  const isQuiet = data !== undefined && data.services.length > 0 && totalOf(data.rates.submitted) === 0;
  return (
    <>
      <PageHead title="Overview">
        {isQuiet && (
          <span class="quiet">
            No task came in this time: <a href="/tasks">hand one in</a>
          </span>
        )}
        <nav class="choice" aria-label="Time shown">
          {ranges.map(({ name, text }) => (
            <a
              key={name}
              href={changedQuery({ range: name === usualRange ? undefined : name })}
              class={name === range ? "here" : ""}
              aria-current={name === range ? "true" : undefined}
            >
              {text}
            </a>
          ))}
        </nav>
      </PageHead>
      {problem && <Problem problem={problem} again={again} />}
      {data && data.services.length === 0 && <NoFigures />}
      {data && data.services.length > 0 && <Figures data={data} />}
      {!data && !problem && <div class="charts-to-come" aria-busy="true" />}
    </>
  );
}

function Figures({ data }: { data: OverviewView }) {
  return (
    <>
      <Tiles data={data} />
      <div class="figures">
        <label class="moment">
          <span>Moment</span>
          <input
            type="range"
            min={0}
            max={data.at_ms.length - 1}
            value={pointed.value ?? data.at_ms.length - 1}
            onInput={(event) => {
              const { valueAsNumber: step, max } = event.currentTarget;
              // At its end it follows what happens.
              pointed.value = step === Number(max) ? undefined : step;
            }}
          />
        </label>
        <div class="charts">
          {chartsOf(data).map((chart) => (
            <Chart key={chart.title} {...chart} atMs={data.at_ms} stepMs={data.step_ms} />
          ))}
        </div>
      </div>
    </>
  );
}

function NoFigures() {
  return (
    <Empty title="No figures yet">
      The roles of this process tell theirs every five seconds. Roles of another send theirs here when their{" "}
      <code>OTEL_EXPORTER_OTLP_ENDPOINT</code> is the <code>otlp_url</code> of this one.
    </Empty>
  );
}

interface Tile {
  name: string;
  figure: string;
  more: string;
  href: string;
  tone?: "bad" | "warn";
}

/** What happened within the time that is shown, and the state now. */
function Tiles({ data }: { data: OverviewView }) {
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
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

type ChartPlan = Omit<ChartProps, "atMs" | "stepMs">;

/** The charts of the overview: what each shows, and what is behind its points. Pure. */
function chartsOf({ rates, durations, queues, threads, active }: OverviewView): ChartPlan[] {
  return [
    {
      title: "Tasks",
      unit: "rate",
      series: [
        { name: "created", color: "--hue-1", values: rates.submitted, hrefOf: tasksMade() },
        { name: "completed", color: "--hue-2", values: rates.succeeded, hrefOf: tasksMade("succeeded") },
        { name: "failed attempts", color: "--hue-3", values: rates.failed, hrefOf: failedTraces },
        { name: "dead", color: "--hue-4", values: rates.dead, hrefOf: deadThen },
      ],
    },
    {
      title: "Queue wait",
      unit: "seconds",
      series: percentiles(durations.queue_wait, (fromMs, toMs) =>
        addressOf("/traces", { service: "worker", ...within(fromMs, toMs) }),
      ),
    },
    { title: "Run time", unit: "seconds", series: percentiles(durations.run_time, slowTraces) },
    { title: "End to end", unit: "seconds", series: percentiles(durations.end_to_end, slowTraces) },
    {
      title: "Messages in queues",
      unit: "count",
      series: queues.flatMap(({ name, visible, in_flight }, index): ChartSeries[] => [
        { name, color: hue(2 * index), values: visible, hrefOf: () => "/tasks?status=queued" },
        {
          name: `${name} in flight`,
          color: hue(2 * index + 1),
          values: in_flight,
          hrefOf: () => "/tasks?status=running",
        },
      ]),
    },
    {
      title: "Oldest that waits",
      unit: "seconds",
      series: queues.map(({ name, oldest_age }, index) => ({
        name,
        color: hue(2 * index),
        values: oldest_age,
        hrefOf: () => (index === 0 ? "/tasks?status=queued" : "/dead-letters"),
      })),
    },
    {
      title: "Threads",
      unit: "count",
      series: [
        { name: "busy", color: "--hue-1", values: threads.busy, hrefOf: () => "/tasks?status=running" },
        { name: "idle", color: "--hue-2", values: threads.idle, hrefOf: () => "/system" },
        { name: "stuck", color: "--hue-4", values: threads.stuck, hrefOf: () => "/system" },
        { name: "tasks", color: "--hue-3", values: threads.tasks, hrefOf: () => "/tasks?status=running" },
      ],
    },
    {
      title: "Tasks that have not ended",
      unit: "count",
      series: taskStatuses.flatMap((status, index): ChartSeries[] => {
        const values = active[status];
        return values ? [{ name: status, color: hue(index), values, hrefOf: () => `/tasks?status=${status}` }] : [];
      }),
    },
  ];
}

type HrefOf = NonNullable<ChartSeries["hrefOf"]>;

function percentiles({ p50, p95, p99, floor }: DurationColumns, hrefOf: HrefOf): ChartSeries[] {
  return [
    { name: "p50", color: "--hue-2", values: p50, floor, hrefOf },
    { name: "p95", color: "--hue-3", values: p95, floor, hrefOf },
    { name: "p99", color: "--hue-4", values: p99, floor, hrefOf },
  ];
}

function hue(number: number): string {
  return `--hue-${(number % 8) + 1}`;
}

function within(fromMs: number, toMs: number) {
  return { since: new Date(fromMs).toISOString(), until: new Date(toMs).toISOString() };
}

function tasksMade(status?: string): HrefOf {
  return (fromMs, toMs) => addressOf("/tasks", { status, ...within(fromMs, toMs) });
}

const deadThen: HrefOf = (fromMs, toMs) => addressOf("/dead-letters", within(fromMs, toMs));

const failedTraces: HrefOf = (fromMs, toMs) => addressOf("/traces", { error: "true", ...within(fromMs, toMs) });

/** Those that took about as long, or longer. */
const slowTraces: HrefOf = (fromMs, toMs, seconds) =>
  addressOf("/traces", { service: "worker", min_duration: almost(seconds), ...within(fromMs, toMs) });

function almost(seconds: number): string | undefined {
  const ms = Math.floor(seconds * 900);
  return ms < 1 ? undefined : `${ms}ms`;
}
