import type { TaskHandler } from "throughline";

/** Keeps its seat until the gate is opened, so that what is submitted meanwhile waits. */
export default {
  timeout: "1h",
  async run({ payload }, { signal }) {
    await fetch(payload.gateUrl, { signal });
    return null;
  },
} satisfies TaskHandler<{ gateUrl: string }>;
