/** The searches of docs/questions.md, as a person would type them. */

import { codeBlocks, readDoc } from "./markdown.ts";

const doc = await readDoc("docs/questions.md");

/** What stands for something of the reader's own. */
export type Placeholders = Record<"TASK_ID" | "CORRELATION_ID", string>;

/** All searches of one language, each in one line, with their placeholders filled in. */
export function questionsIn(language: "jaeger" | "promql" | "jq", placeholders: Placeholders): string[] {
  return codeBlocks(doc, language).map((block) =>
    block
      .trim()
      .replace(/\s*\n\s*/g, " ")
      .replace(/TASK_ID|CORRELATION_ID/g, (name) => placeholders[name as keyof Placeholders]),
  );
}

/** `service=worker tags="a=b c=d"` as the parameters of Jaeger's `/api/traces`. */
export function toJaegerQuery(search: string): URLSearchParams {
  const query = new URLSearchParams({ limit: "1000", lookback: "1h" });
  for (const [, name = "", quoted, plain] of search.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)) {
    const value = quoted ?? plain ?? "";
    query.set(name, name === "tags" ? JSON.stringify(Object.fromEntries(value.split(" ").map(toPair))) : value);
  }
  return query;
}

function toPair(tag: string): [string, string] {
  const at = tag.indexOf("=");
  return [tag.slice(0, at), tag.slice(at + 1)];
}
