/** How a chart looks, in uPlot's words. */

import type uPlot from "uplot";
import type { ChartProps } from "./chart.tsx";
import { showOnAxis } from "./figure.ts";

export interface ChartActs {
  /** The mouse is at this step; undefined: it has left. */
  point(step: number | undefined): void;
  /** A click on this step, nearest to the series of that number. */
  follow(step: number, series: number): void;
}

const axisFont = "11px system-ui, sans-serif";
const labelPx = 52;
const yAxisPx = 56;
const nearPx = 40;

/** `element`: whose style says what the colours are at the moment. */
export function toChartOptions(
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

/** A canvas knows no custom properties, and one of two colours is in force: the browser says which. */
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
