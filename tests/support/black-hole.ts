/** An address that does not answer: a socket whose backlog is full and which accepts nothing, so that Linux drops every SYN. */

import { join } from "node:path";
import { projectFolder } from "./executable.ts";

export interface BlackHole extends AsyncDisposable {
  port: number;
}

/** Needs python3, as other parts of the tests do: neither runtime can listen without accepting. */
export async function startBlackHole(host: string): Promise<BlackHole> {
  const file = join(projectFolder, "tests/fixtures/black-hole.py");
  const child = Bun.spawn(["python3", file, host], { stdin: "pipe", stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  return {
    port: Number(new TextDecoder().decode(value)),
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await child.exited;
    },
  };
}
