/** A process of a contestant, which says on its first line on which port it listens. */

import { startGuard } from "../tests/parts/launch.ts";

export interface Child extends AsyncDisposable {
  pid: number;
  port: number;
  /** From its start until it said so. */
  startMs: number;
}

const startTimeoutMs = 60_000;

/** Its whole environment is `env` and the PATH. It ends with this process. */
export async function startChild(command: readonly string[], env: Record<string, string> = {}): Promise<Child> {
  const { PATH = "", HOME = "" } = process.env;
  const startedMs = performance.now();
  const child = Bun.spawn([...command], { env: { PATH, HOME, ...env }, stdin: "ignore", stdout: "pipe" });
  const guard = startGuard(child.pid);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const killing = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await child.exited;
    clearTimeout(killing);
    guard.kill("SIGKILL");
    await guard.exited;
  };
  try {
    const said = Promise.withResolvers<number>();
    void readPort(child.stdout, said.resolve).then(() => said.reject(new Error(`"${command.join(" ")}" has ended`)));
    const limit = AbortSignal.timeout(startTimeoutMs);
    limit.addEventListener("abort", () => said.reject(new Error(`"${command.join(" ")}" does not listen`)));
    const port = await said.promise;
    return { pid: child.pid, port, startMs: performance.now() - startedMs, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function readPort(stdout: ReadableStream<Uint8Array>, tell: (port: number) => void): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  let isTold = false;
  for await (const chunk of stdout) {
    if (isTold) continue;
    text += decoder.decode(chunk, { stream: true });
    const port = /(?:listens on |"gateway_url":"http:\/\/127\.0\.0\.1:)(\d+)(?=\D)/.exec(text)?.[1];
    if (port === undefined) continue;
    isTold = true;
    tell(Number(port));
  }
}
