import { describe, expect, test } from "bun:test";
import { metricsIn } from "../support/promql.ts";

describe("the metrics in an expression", () => {
  const cases: [expression: string, names: string[]][] = [
    ["up", ["up"]],
    ['sum by (job) (up{job=~"a|b"}) > 0', ["up"]],
    ["60 * sum(rate(tasks_total[5m])) / on (queue) max(depth offset 10m)", ["tasks_total", "depth"]],
    [
      "throughline:claims_won:ratio < 0.9 and on () vector(0) or b unless c",
      ["throughline:claims_won:ratio", "b", "c"],
    ],
    ['label_replace(a_sum, "stage", "waiting", "", "") or a_sum', ["a_sum"]],
    ['histogram_quantile(0.99, sum by (le) (rate(a_bucket{route!~"x|[{]id[}]"}[$__rate_interval])))', ["a_bucket"]],
  ];

  test.each(cases)("%s", (expression, names) => {
    expect(metricsIn(expression)).toEqual(names);
  });
});
