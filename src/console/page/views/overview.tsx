/** The view Overview: how it goes at the moment, and the minutes before. Every figure leads to what is behind it. */

import { useEffect } from "preact/hooks";
import type { OverviewView } from "../../overview.ts";
import { useAnswer } from "../answer.ts";
import { changedQuery, here } from "../location.ts";
import { Chart, pointed } from "../parts/chart.tsx";
import { Empty } from "../parts/empty.tsx";
import { totalOf } from "../parts/figure.ts";
import { PageHead } from "../parts/page-head.tsx";
import { Problem } from "../parts/view.tsx";
import { chartsOf } from "./overview/charts.ts";
import { Tiles } from "./overview/tiles.tsx";

const ranges = [
  { name: "5m", text: "5 min" },
  { name: "15m", text: "15 min" },
  { name: "1h", text: "1 h" },
] as const;
const usualRange = "5m";
/** Half of what roles take between two exports. */
const everyMs = 2500;

export function Overview() {
  const asked = here.value.query.get("range");
  const range = ranges.find(({ name }) => name === asked)?.name ?? usualRange;
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
