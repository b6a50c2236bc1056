/** `throughline/testing`: what tests of handlers import. `throughline init` writes it as one file, with no dependency. */

export { formatSpans, testTask } from "./testing/test-task.ts";
