/** What the README says, done as it stands there: its commands, its request, its example. */

import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { startElasticMq } from "../parts/elasticmq.ts";
import { freePort } from "../parts/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { codeBlocks, readDoc } from "../support/markdown.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import { startShell } from "../support/shell.ts";
import { tempFolder } from "../support/temp-folder.ts";

const readme = await readDoc("README.md");
const shellBlocks = codeBlocks(readme, "sh").map((block) => block.trim());

/** A fresh checkout installs first. */
const timeoutMs = 180_000;

/** The README's only block of commands with this in it. */
function commandWith(text: string): string {
  const found = shellBlocks.filter((block) => block.includes(text));
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} commands have "${text}"`);
  return found[0];
}

/** Where npx is missing, this very Bun takes its place. */
function runnable(command: string): string {
  return Bun.which("npx") === null ? command.replace(/^npx -y bun@[\d.]+/, process.execPath) : command;
}

const demoCommand = runnable(commandWith("run demo"));

describe("the demo", () => {
  test(
    "run once, ends as scripted and shows both traces",
    async () => {
      await using folder = await tempFolder();
      await using demo = startShell(`${demoCommand} -- --once`, { env: { TMPDIR: folder.path } });
      const exitCode = await demo.exited;
      const said = demo.output();
      expect({ exitCode, said }).toEqual({ exitCode: 0, said });
      expect(said.match(/ ✓$/gm)).toHaveLength(10);
      const traces = said.matchAll(/^(\w+ \w+): task [\w-]+\ntrace \w{32} /gm);
      expect([...traces].map(([, title]) => title)).toEqual(["echo succeeded", "fail dead"]);
      for (const name of ["POST /v1/tasks", "send task-events", "process task-events · attempt 3", "run echo"]) {
        expect(said).toContain(name);
      }
      expect(said).toContain("process task-events-dlq");
    },
    timeoutMs,
  );

  test.skipIf(Bun.which("curl") === null)(
    "keeps serving, takes the README's request, and ends clean at Ctrl-C",
    async () => {
      await using folder = await tempFolder();
      await using demo = startShell(demoCommand, { env: { TMPDIR: folder.path } });
      const gatewayUrl = await eventually(
        () => /keeps serving[\s\S]*?(http:\/\/[\d.:]+)\/v1\/tasks/.exec(demo.output())?.[1],
        {
          timeoutMs: timeoutMs / 2,
        },
      );
      const request = commandWith("curl").replace("http://127.0.0.1:8080", gatewayUrl);
      await using curl = startShell(`${request} --silent --show-error`);
      await curl.exited;

      const answer = parseAnswer(curl.output());
      expect(answer.status).toBe("HTTP/1.1 202 Accepted");
      const promised = parseAnswer(codeBlocks(readme, "text").find((block) => block.startsWith("HTTP/")) ?? "");
      expect(answer.headers).toEqual(expect.arrayContaining(promised.headers));
      expect(answer.fields).toEqual(expect.arrayContaining(promised.fields));
      const { status, result } = await httpApi(gatewayUrl).ended(answer.id);
      expect({ status, result }).toEqual({ status: "succeeded", result: { hello: "world" } });

      demo.interrupt();
      await demo.exited;
      const left = (await readdir(folder.path)).filter((name) => name.startsWith("throughline-"));
      expect({ left, said: demo.output().includes("throughline: ") }).toEqual({ left: [], said: false });
    },
    timeoutMs,
  );
});

interface Answer {
  status: string;
  /** Names, in lower case. */
  headers: string[];
  /** Names of the body's own fields. */
  fields: string[];
  id: string;
}

/** What `curl -i` prints; the README leaves some of the body out. */
function parseAnswer(text: string): Answer {
  const [head = "", body = ""] = text.replaceAll("\r", "").split("\n\n");
  const [status = "", ...headers] = head.split("\n");
  const flat = body.replaceAll(/\{(?!"id")[^{}]*\}/g, "null");
  return {
    status,
    headers: headers.map((header) => header.slice(0, header.indexOf(":")).toLowerCase()),
    fields: [...flat.matchAll(/"(\w+)":/g)].map(([, name = ""]) => name),
    id: /"id":"([\w-]+)"/.exec(body)?.[1] ?? "",
  };
}

describe("the example handler", () => {
  const email = { to: "ada@example.org", subject: "Hello", text: "It works." };

  test(
    "sends the e-mail once, in the task's trace",
    async () => {
      const received: Record<string, unknown>[] = [];
      await using provider = startProvider(async (request) => {
        received.push({
          body: await request.json(),
          key: request.headers.get("idempotency-key"),
          trace: request.headers.get("traceparent")?.split("-")[1],
        });
        return Response.json({ accepted: true });
      });
      await using throughline = await startExample(provider.url);
      const api = httpApi(throughline.addresses.gateway_url);

      const accepted = await api.submit({ type: "send-email", payload: email });
      const task = await api.ended(accepted.id);

      expect(received).toEqual([{ body: email, key: task.id, trace: task.trace_id }]);
      expect({ status: task.status, result: task.result, max: task.max_attempts }).toEqual({
        status: "succeeded",
        result: { accepted: true },
        max: 8,
      });
      expect(throughline.logs().filter(({ module }) => module === "handler")).toEqual([
        expect.objectContaining({
          msg: "the provider has answered",
          status: 200,
          task_id: task.id,
          trace_id: task.trace_id,
        }),
      ]);
    },
    timeoutMs,
  );

  test(
    "gives an e-mail up that the provider refuses",
    async () => {
      await using provider = startProvider(async () => new Response(null, { status: 400 }));
      await using throughline = await startExample(provider.url);
      const api = httpApi(throughline.addresses.gateway_url);

      const accepted = await api.submit({ type: "send-email", payload: email });
      const { status, attempt, error } = await api.ended(accepted.id);

      const refused = { type: "FatalError", message: "the provider refuses this e-mail" };
      expect({ status, attempt, error }).toEqual({ status: "dead", attempt: 1, error: refused });
    },
    timeoutMs,
  );
});

function startProvider(answer: (request: Request) => Promise<Response>): AsyncDisposable & { url: string } {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return { url: `${server.url}send`, [Symbol.asyncDispose]: () => server.stop(true) };
}

function startExample(providerUrl: string) {
  const handlers = `--handlers=${join(projectFolder, "examples/handlers")}`;
  return startThroughline([...freePorts, handlers, "--threads=1"], { env: { EMAIL_PROVIDER_URL: providerUrl } });
}

describeWith("elasticmq")("the roles in processes of their own", () => {
  test(
    "started as the README says, run a task together",
    async () => {
      await using stack = new AsyncDisposableStack();
      const elasticMq = stack.use(await startElasticMq());
      const { path: cwd } = stack.use(await tempFolder());
      const [exported = "", ...lines] = commandWith("--role=gateway").split("\n");
      const env = { ...variablesOf(exported), AWS_ENDPOINT_URL_SQS: elasticMq.url };
      const taskService = `127.0.0.1:${await freePort()}`;
      const started = lines.map(async (line) => {
        const args = line
          .replace(/^dist\/throughline /, "")
          .replace(/ &$/, "")
          .replaceAll("127.0.0.1:8081", taskService);
        // Other ports than those of the README: they may be taken.
        const ports = [...freePorts, `--task-service-listen=${taskService}`];
        return stack.use(await startThroughline([...args.split(" "), ...ports], { env, cwd }));
      });
      const addresses = Object.assign({}, ...(await Promise.all(started)).map((each) => each.addresses));

      const api = httpApi(addresses.gateway_url);
      const [echo, fail] = await Promise.all([
        api.submit({ type: "echo", payload: "hello" }),
        api.submit({ type: "fail", max_attempts: 1 }),
      ]);
      const ended = await Promise.all([api.ended(echo.id), api.ended(fail.id)]);
      expect(ended.map(({ status }) => status)).toEqual(["succeeded", "dead"]);
    },
    timeoutMs,
  );
});

/** `export A=1 B=2` */
function variablesOf(exported: string): Record<string, string> {
  return Object.fromEntries(
    exported
      .replace(/^export /, "")
      .split(" ")
      .map((pair) => pair.split("=", 2)),
  );
}
