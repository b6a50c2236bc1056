/**
 * A chart of figures over time, drawn by uPlot. Every point leads somewhere: one under the mouse by a click, and the one
 * that is pointed at, or else the newest, by the links below the title, which also show its values. Charts of one view
 * point at the same moment.
 */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { go } from "../location.ts";
import { isDark } from "../theme.ts";
import { newestIndexOf, showFigure, showOnAxis, type Unit } from "./figure.ts";

export interface ChartSeries {
  name: string;
  /** A custom property of styles/tokens.css. */
  color: string;
  values: readonly (number | null)[];
  /** Values below it are not distinguished: they are shown as less than it. */
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
        const content = (
          <>
            <span class="series-key" style={{ color: `var(${each.color})` }} />
            {each.name} <b class="number legend-figure">{showFigure(value, unit, each.floor)}</b>
          </>
        );
        return (
          <li key={each.name}>
            {href ? (
              <a class="legend-item" href={href}>
                {content}
              </a>
            ) : (
              <span class="legend-item">{content}</span>
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

interface ChartActs {
  /** The mouse is at this step; undefined: it has left. */
  point(step: number | undefined): void;
  /** A click on this step, nearest to the series of that number. */
  follow(step: number, series: number): void;
}

const axisFont = "11px system-ui, sans-serif";
const labelPx = 52;
const yAxisPx = 56;
const nearPx = 40;

/** `element`: whose style has the colours of the theme. */
function toChartOptions(
  { unit, series }: ChartProps,
  element: Element,
  { point, follow }: ChartActs,
): Omit<uPlot.Options, "width" | "height"> {
  const color = colorsOf(element);
  const axis = { stroke: color("--quiet"), font: axisFont, ticks: { show: false } };
  const grid = { stroke: color("--line"), width: 1 };
  let focused = 0;
  return {
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: { x: { time: true }, y: { range: (_, __, max) => [0, topOf(max ?? 0, unit)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: labelPx, values: (_, at) => at.map(toTime) },
      { ...axis, grid, size: yAxisPx, space: 34, values: (_, all) => all.map((value) => showOnAxis(value, unit)) },
    ],
    series: [
      {},
      ...series.map(({ name, color: word }) => ({
        label: name,
        stroke: color(word),
        width: 1.5,
        points: { show: false },
      })),
    ],
    cursor: {
      y: false,
      drag: { x: false, y: false },
      focus: { prox: nearPx },
      points: { size: 6 },
      bind: {
        mouseleave: (_plot, _target, handler) => (event) => {
          point(undefined);
          return handler(event);
        },
        click: (plot) => () => {
          if (typeof plot.cursor.idx === "number") follow(plot.cursor.idx, focused);
          return null;
        },
      },
    },
    hooks: {
      setCursor: [({ cursor: { idx, left = -1 } }) => left >= 0 && typeof idx === "number" && point(idx)],
      setSeries: [
        (_plot, index) => {
          if (index !== null && index > 0) focused = index - 1;
        },
      ],
    },
  };
}

/** Room above the highest point; an empty chart is not all top. */
function topOf(max: number, unit: ChartProps["unit"]): number {
  const least = unit === "seconds" ? 0.01 : 1;
  return Math.max(least, max * 1.08);
}

function toTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** A canvas knows no custom properties and no light-dark(): the browser resolves each colour. */
function colorsOf(element: Element): (word: string) => string {
  const probe = document.createElement("span");
  element.append(probe);
  const colors = new Map<string, string>();
  const read = (word: string): string => {
    probe.style.color = `var(${word})`;
    return getComputedStyle(probe).color;
  };
  for (const word of ["--quiet", "--line", "--good", "--bad", "--warn", "--run", "--accent", "--wait", ...hues]) {
    colors.set(word, read(word));
  }
  probe.remove();
  return (word) => colors.get(word) ?? "gray";
}

const hues = ["--hue-1", "--hue-2", "--hue-3", "--hue-4", "--hue-5", "--hue-6", "--hue-7", "--hue-8"];
