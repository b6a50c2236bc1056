/** Looks at where tasks are kept: the data folder, or the table. */

import type { Config } from "../../config.ts";
import { isStorePrepared } from "../../store/open-store.ts";
import { awsFailed } from "./aws-error.ts";
import { lookAtDataFolder } from "./data-folder.ts";
import { type Finding, failed, ok } from "./finding.ts";

export async function lookAtStore(config: Config): Promise<Finding[]> {
  return config.store === "dynamodb" ? [await lookAtTable(config)] : lookAtDataFolder(config);
}

async function lookAtTable(config: Config): Promise<Finding> {
  const { table, environment } = config;
  const check = `table ${table}`;
  try {
    if (await isStorePrepared(config)) return ok(check, "is there, with its index");
    return environment === "development"
      ? ok(check, "is not there yet: it is made at the first start in development")
      : failed(check, "is not there, or still being made", "run throughline setup");
  } catch (error) {
    return awsFailed(check, error instanceof Error ? error : new Error(String(error)), "AWS_ENDPOINT_URL_DYNAMODB");
  }
}
