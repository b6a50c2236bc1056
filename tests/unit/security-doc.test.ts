/** docs/security.md says what the code and its tests say. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { scopes } from "../../src/access/api-key-file.ts";
import { batchBody, maxBatchBytes } from "../../src/api/batch.ts";
import { readConfig } from "../../src/config.ts";
import { taskRoutes } from "../../src/gateway/tasks.ts";
import { unguardedAddresses } from "../../src/http/open-addresses.ts";
import { maxMessageBytes } from "../../src/rpc/call.ts";
import { maxMessageDepth } from "../../src/rpc/methods.ts";
import { maxAnswerBytes } from "../../src/worker/http/body.ts";
import { maxRedirects } from "../../src/worker/http/task.ts";
import { projectFolder } from "../support/executable.ts";
import { codeWords, readDoc, tableBelow } from "../support/markdown.ts";

const doc = await readDoc("docs/security.md");

describe("the OWASP list", () => {
  const risks = tableBelow(doc, "OWASP API Security Top 10 (2023)");

  test("has its ten lines", () => {
    expect(risks.map(([risk = ""]) => risk.split(" ")[0])).toEqual(
      Array.from({ length: 10 }, (_, at) => `API${at + 1}`),
    );
  });

  const held = risks.flatMap(([risk = "", , tests = ""]) => {
    const named = [...tests.matchAll(/`(tests\/[\w./-]+)` "([^"]+)"/g)];
    // A line without a test fails below, by its empty name.
    return named.length === 0 ? [[risk, "", ""]] : named.map(([, file = "", title = ""]) => [risk, file, title]);
  });

  test.each(held)("%s is held by %s: %s", async (_, file = "", title = "") => {
    expect(title).not.toBe("");
    const source = await Bun.file(join(projectFolder, file)).text();
    expect(source).toContain(`"${title}"`);
  });
});

describe("the limits that are told", () => {
  const limits = new Map(tableBelow(doc, "Limits on how much").map(([what = "", limit = ""]) => [what, limit]));

  test("are those of the code", () => {
    const { maxBodyBytes, maxBodyDepth } = taskRoutes.createTask;
    expect(limits.get("body of an HTTP request")).toBe(`${maxBodyBytes / 1024} KiB, ${maxBodyDepth} levels`);
    expect(limits.get("body of a batch")).toBe(`${maxBatchBytes / 1024 ** 2} MiB, 1000 tasks`);
    const isTaken = (count: number): boolean => batchBody.safeParse(new Array(count).fill({})).success;
    expect([1000, 1001].map(isTaken)).toEqual([true, false]);
    expect(limits.get("message of an RPC")).toStartWith(`${maxMessageBytes / 1024 ** 2} MiB`);
    expect(limits.get("message of an RPC")).toEndWith(`${maxMessageDepth} levels`);
    expect(limits.get("answer to the task type `http`")).toBe(
      `${maxAnswerBytes / 1024 ** 2} MiB, ${maxRedirects} redirects`,
    );
  });
});

describe("who may reach what", () => {
  test("has every scope", () => {
    expect(tableBelow(doc, "API keys").flatMap(([scope = ""]) => codeWords(scope))).toEqual([...scopes]);
  });

  test("has every address that asks nobody", () => {
    const open = {
      gatewayListen: "0.0.0.0:1",
      taskServiceListen: "0.0.0.0:2",
      grpcListen: "0.0.0.0:3",
      adminListen: "0.0.0.0:4",
    };
    const flags = unguardedAddresses(readConfig({ ...open, handlers: "" }, {}).config).map(({ flag }) => flag);
    expect(flags.filter((flag) => !codeWords(doc).includes(flag))).toEqual([]);
  });
});
