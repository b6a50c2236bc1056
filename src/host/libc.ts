/**
 * Calls of the C library for which no runtime has a function. They are there on Linux (glibc or musl) and macOS, under Bun,
 * and under Deno where it may use FFI; elsewhere they are missing, and their callers do without.
 */

import { runtime } from "./runtime.ts";

export interface Libc {
  /** All give -1 on failure, as in C. */
  dup(fd: number): number;
  dup2(from: number, to: number): number;
  waitpid(pid: number, status: null, options: number): number;
  /** Writes on a thread of its own, so that a full pipe holds up nothing here. On Deno; Bun has streams for any descriptor. */
  write: ((fd: number, bytes: Uint8Array) => Promise<number>) | undefined;
}

const libraries: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"],
  darwin: ["libSystem.B.dylib"],
};

/** undefined: they cannot be called here. */
export async function openLibc(): Promise<Libc | undefined> {
  const open = runtime.name === "deno" ? openOnDeno : openOnBun;
  for (const library of libraries[process.platform] ?? []) {
    try {
      return await open(library);
    } catch {
      // Another C library, or FFI is not allowed.
    }
  }
  return undefined;
}

async function openOnBun(library: string): Promise<Libc> {
  const { dlopen } = await import("bun:ffi");
  const { symbols } = dlopen(library, {
    dup: { args: ["int"], returns: "int" },
    dup2: { args: ["int", "int"], returns: "int" },
    waitpid: { args: ["int", "ptr", "int"], returns: "int" },
  });
  return { ...symbols, write: undefined };
}

/** The few words of Deno's API that are used here; its own types would clash with Bun's. */
interface DenoFfi {
  permissions: { querySync(of: { name: "ffi" }): { state: string } };
  dlopen(
    library: string,
    symbols: Record<string, { parameters: string[]; result: string; nonblocking?: boolean }>,
  ): {
    symbols: Pick<Libc, "dup" | "dup2" | "waitpid"> & {
      write(fd: number, bytes: Uint8Array, length: bigint): Promise<number>;
    };
  };
}

async function openOnDeno(library: string): Promise<Libc> {
  // The border to a runtime whose types are not loaded: checked by the tests that run under Deno.
  const { Deno } = globalThis as unknown as { Deno: DenoFfi };
  // Without this, a terminal would be asked.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") throw new Error("FFI is not allowed");
  const { symbols } = Deno.dlopen(library, {
    dup: { parameters: ["i32"], result: "i32" },
    dup2: { parameters: ["i32", "i32"], result: "i32" },
    waitpid: { parameters: ["i32", "pointer", "i32"], result: "i32" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
  });
  const { dup, dup2, waitpid, write } = symbols;
  return { dup, dup2, waitpid, write: async (fd, bytes) => Number(await write(fd, bytes, BigInt(bytes.length))) };
}
