/** Reads what the docs promise: tables, blocks of code, links. */

import { join } from "node:path";
import { projectFolder } from "./executable.ts";

/** `README.md`, `docs/operations.md`. */
export function readDoc(path: string): Promise<string> {
  return Bun.file(join(projectFolder, path)).text();
}

/** The first table below the heading of this title: the cells of each row, without the head. Throws when there is none. */
export function tableBelow(markdown: string, title: string): string[][] {
  const lines = sectionBelow(markdown, title).split("\n");
  const first = lines.findIndex((line) => line.startsWith("|"));
  if (first < 0) throw new Error(`there is no table below "${title}"`);
  const length = lines.slice(first).findIndex((line) => !line.startsWith("|"));
  return lines.slice(first, length < 0 ? undefined : first + length).flatMap((line, index) => {
    const cells = line.split("|").slice(1, -1);
    // The head, and the line below it.
    return index < 2 ? [] : [cells.map((cell) => cell.trim())];
  });
}

/** From the heading of this title to the next one that is not deeper. Throws when there is no such heading. */
export function sectionBelow(markdown: string, title: string): string {
  const lines = markdown.split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === title);
  if (start < 0) throw new Error(`there is no heading "${title}"`);
  const depth = lines[start]?.indexOf(" ") ?? 0;
  const rest = lines.slice(start + 1);
  let isCode = false;
  const end = rest.findIndex((line) => {
    if (line.startsWith("```")) isCode = !isCode;
    // In a block of code it is a comment of Python or of the shell.
    return !isCode && new RegExp(`^#{1,${depth}} `).test(line);
  });
  return rest.slice(0, end < 0 ? undefined : end).join("\n");
}

/** The contents of all fenced blocks of this language, without the fences. */
export function codeBlocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code = ""]) => code);
}

/** Everything in backquotes, outside of blocks of code. */
export function codeWords(markdown: string): string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, word = ""]) => word);
}

/** The targets of all links: `docs/telemetry.md#metrics`, `https://…`. */
export function linkTargets(markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
}

/** The anchors of its headings, as GitHub makes them. */
export function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}
