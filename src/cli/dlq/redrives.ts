/** `throughline dlq redrives`: how far a redrive is; and its brake. */

import type { RedriveAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { followRedrive, showRedrive } from "./follow.ts";
import { redrivePath } from "./path.ts";

export interface RedrivesFlags extends ApiFlags {
  wait?: boolean;
}

/** `command`: `pause`, `resume`, `cancel`. */
export async function lookAtRedrive(id: string, command: string | undefined, flags: RedrivesFlags): Promise<number> {
  const api = connectApi(flags.url);
  const path = redrivePath(id);
  const answer =
    command === undefined
      ? await api.call<RedriveAnswer>("GET", path)
      : await api.call<RedriveAnswer>("POST", `${path}/${command}`);
  if (flags.wait) return followRedrive(api, id, flags);
  showRedrive(answer, flags);
  return exitCodes.done;
}
