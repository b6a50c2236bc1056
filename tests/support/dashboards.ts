/** The dashboards that we ship for Grafana, as they stand in `deploy/grafana/dashboards/`. */

import { basename, join } from "node:path";
import { projectFolder } from "./executable.ts";

interface Target {
  expr: string;
  legendFormat: string;
  /** Whether its exemplars are drawn. */
  exemplar?: boolean;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  datasource?: { type: string; uid: string };
  gridPos: { h: number; w: number; x: number; y: number };
  fieldConfig?: { defaults: { thresholds?: { steps: { color: string; value: number | null }[] } } };
  links?: { title: string; url: string }[];
  targets?: Target[];
}

export interface Dashboard {
  file: string;
  uid: string;
  title: string;
  panels: Panel[];
}

const folder = join(projectFolder, "deploy/grafana/dashboards");

export async function readDashboards(): Promise<Dashboard[]> {
  const files = [...new Bun.Glob("*.json").scanSync(folder)].sort();
  return Promise.all(
    files.map(async (file) => ({ file: basename(file), ...(await Bun.file(join(folder, file)).json()) })),
  );
}

/** Each with the expression that Grafana sends when the range asks for this interval of rates. */
export function targetsOf({ panels }: Dashboard, rateInterval: string): { panel: string; expr: string }[] {
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ panel: title, expr: expr.replaceAll("$__rate_interval", rateInterval) })),
  );
}

/** The titles of the rows, in their order. */
export function rowsOf({ panels }: Dashboard): string[] {
  return panels.filter(({ type }) => type === "row").map(({ title }) => title);
}
