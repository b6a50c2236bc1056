/**
 * A chart of figures over time. Every point leads somewhere: one under the mouse by a click, and the one that is pointed
 * at, or else the newest, by the links below the title, which also say its values. Charts that stand together point at
 * the same moment.
 */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { go } from "../location.ts";
import { isDark } from "../theme.ts";
import { toChartOptions } from "./chart-options.ts";
import { newestIndexOf, showFigure, type Unit } from "./figure.ts";

export interface ChartSeries {
  name: string;
  /** A custom property of styles/tokens.css. */
  color: string;
  values: readonly (number | null)[];
  /** Values below it are not told apart, and are said to be less. */
  floor?: number;
  /** What is behind its point between these times; undefined: nothing that can be shown. */
  hrefOf?(fromMs: number, toMs: number, value: number): string;
}

export interface ChartProps {
  title: string;
  unit: Unit;
  /** Where each step ends, in milliseconds since the epoch. */
  atMs: readonly number[];
  stepMs: number;
  series: readonly ChartSeries[];
}

/** The step that is pointed at; undefined: none, and the newest is meant. */
export const pointed = signal<number | undefined>(undefined);

const heightPx = 148;

export function Chart(props: ChartProps) {
  const { title, unit, atMs, series } = props;
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const newest = useRef(props);
  newest.current = props;
  const names = series.map(({ name }) => name).join("\n");

  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const size = () => ({ width: element.clientWidth, height: heightPx });
    const options = toChartOptions(newest.current, element, {
      point: (step) => {
        pointed.value = step;
      },
      follow: (step, focused) => {
        const to = addressOf(newest.current, step, focused);
        if (to) go(to);
      },
    });
    const made = new uPlot({ ...options, ...size() }, toData(newest.current), element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize(size()));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [names, unit, isDark.value]);
  useEffect(() => plot.current?.setData(toData(newest.current)), [atMs]);
  useEffect(() => showCursor(plot.current, pointed.value), [pointed.value]);

  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        <Legend {...props} />
      </figcaption>
      <div ref={frame} class="plot" aria-hidden="true" />
    </figure>
  );
}

function Legend(props: ChartProps) {
  const { series, unit } = props;
  return (
    <ul class="series">
      {series.map((each, index) => {
        const step = pointed.value ?? newestIndexOf(each.values);
        const value = step === undefined ? null : each.values[step];
        const href = step === undefined ? undefined : addressOf(props, step, index);
        const said = (
          <>
            <span class="series-key" style={{ color: `var(${each.color})` }} />
            {each.name} <b class="number legend-figure">{showFigure(value, unit, each.floor)}</b>
          </>
        );
        return (
          <li key={each.name}>
            {href ? (
              <a class="legend-item" href={href}>
                {said}
              </a>
            ) : (
              <span class="legend-item">{said}</span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function addressOf({ atMs, stepMs, series }: ChartProps, step: number, index: number): string | undefined {
  const [toMs, value] = [atMs[step], series[index]?.values[step]];
  if (toMs === undefined || value === undefined || value === null) return undefined;
  return series[index]?.hrefOf?.(toMs - stepMs, toMs, value);
}

function toData({ atMs, series }: ChartProps): uPlot.AlignedData {
  return [atMs.map((ms) => ms / 1000), ...series.map(({ values }) => [...values])];
}

/** Where another chart is pointed at. */
function showCursor(plot: uPlot | null, step: number | undefined): void {
  if (!plot || plot.cursor.idx === step) return;
  const at = step === undefined ? undefined : plot.data[0][step];
  plot.setCursor({ left: at === undefined ? -10 : plot.valToPos(at, "x"), top: 0 }, false);
}
