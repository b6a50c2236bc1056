/** Which runtime this is, and what it can do that the other cannot. */

export interface Runtime {
  name: "bun" | "deno";
  version: string;
  /** This program is one file with the runtime in it. */
  isCompiled: boolean;
}

export const runtime: Runtime =
  "Deno" in globalThis
    ? { name: "deno", version: process.versions.deno ?? "", isCompiled: false }
    : {
        name: "bun",
        version: process.versions.bun ?? "",
        isCompiled: /[/\\](\$bunfs|~BUN)[/\\]/.test(import.meta.url),
      };

/** The file that a shell would run for this name; Deno does not tell. */
export function programOnPath(name: string): string | undefined {
  return runtime.name === "bun" ? (Bun.which(name) ?? undefined) : undefined;
}
