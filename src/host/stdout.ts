/**
 * Standard output for one writer alone. What this process prints there by itself has a form, such as a JSON object a
 * line, that nothing else in it may break; but handlers, what they import and their child processes print to file
 * descriptor 1 as they like. So descriptor 1 is made to lead to stderr, and what has the form goes to a copy of what
 * descriptor 1 was.
 */

import { type Libc, openLibc } from "./libc.ts";
import { runtime } from "./runtime.ts";

export interface Stdout {
  /**
   * Writes all of it. A promise when it could not be written at once, which rejects when it cannot be written: until it
   * has settled nothing more may be written. Nothing holds up this thread.
   */
  write(text: string): Promise<void> | undefined;
}

/** For the rest of the process' life. Where the C library cannot be called, others still write to the same descriptor. */
export async function takeStdout(): Promise<Stdout> {
  const libc = await openLibc();
  const copy = libc?.dup(1) ?? -1;
  // Without a stderr, descriptor 1 stays as it is.
  if (copy >= 0) libc?.dup2(2, 1);
  // This thread's stream has been opened before, and keeps a copy of what the descriptor was.
  Object.assign(process.stdout, { write: process.stderr.write.bind(process.stderr) });
  return runtime.name === "deno" ? openOnDeno(copy, libc) : openOnBun(copy >= 0 ? copy : 1);
}

function openOnBun(fd: number): Stdout {
  // Has a copy of the descriptor of its own, so that it may end.
  let sink = Bun.file(fd).writer();
  const failed = (error: unknown): never => {
    // One that has failed may take all that follows for written.
    void Promise.resolve(sink.end()).catch(() => {});
    sink = Bun.file(fd).writer();
    throw error;
  };
  return {
    write: (text) => {
      try {
        const parts = [sink.write(text), sink.flush()];
        if (!parts.some((part) => part instanceof Promise)) return undefined;
        return Promise.all(parts).then(() => {}, failed);
      } catch (error) {
        return Promise.reject(error).catch(failed);
      }
    },
  };
}

/** The one word of Deno's API that is used here; its own types would clash with Bun's. */
interface DenoStdout {
  stdout: { write(bytes: Uint8Array): Promise<number> };
}

function openOnDeno(copy: number, libc: Libc | undefined): Stdout {
  // The border to a runtime whose types are not loaded: checked by the tests that run under Deno.
  const { Deno } = globalThis as unknown as { Deno: DenoStdout };
  const writeSome = async (bytes: Uint8Array): Promise<number> => {
    if (copy < 0 || !libc?.write) return Deno.stdout.write(bytes);
    const written = await libc.write(copy, bytes);
    if (written < 0) throw new Error("write failed");
    return written;
  };
  return {
    write: async (text) => {
      let bytes = new TextEncoder().encode(text);
      while (bytes.length > 0) bytes = bytes.subarray(await writeSome(bytes));
    },
  };
}
