/** Which runtime this is, and what it can do that the other cannot. */

export const runtime: { name: "bun" | "deno"; version: string } =
  "Deno" in globalThis
    ? { name: "deno", version: process.versions.deno ?? "" }
    : { name: "bun", version: process.versions.bun ?? "" };
