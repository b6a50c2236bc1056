/** What every list takes. */

import { z } from "zod";
import { parseQueryTime } from "../words/time-text.ts";
import { timeThat } from "./requests.ts";

export const pageLimit = z.coerce
  .number()
  .int()
  .min(1)
  .max(100)
  .optional()
  .meta({ description: "Most items in the answer; 20 unless it is said." });

export const cursor = z.string().max(255).optional().meta({ description: "The `next_cursor` of an earlier answer." });

/** A time that a caller asks by. */
export const timeAsked = timeThat(parseQueryTime);
