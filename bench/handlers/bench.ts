import type { TaskHandler } from "throughline";
import { done } from "../done.mjs";

export default {
  run({ payload }) {
    done(payload);
    return null;
  },
} satisfies TaskHandler<{ n: number; at: number }>;
