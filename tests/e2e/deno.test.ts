import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { TaskService } from "../../src/gen/tasks_pb.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { isTaskServiceWaiting } from "../support/store-wait.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { commonJsHandlers, plainHandlers, resultsOf, writtenProject } from "../support/written-handlers.ts";

const root = resolve(import.meta.dir, "../..");

test("the same source runs on Deno: the demo ends as scripted", async () => {
  await using folder = await tempFolder();
  const deno = Bun.spawn(
    [resolve(root, "node_modules/.bin/deno"), "run", "-A", resolve(root, "src/main.ts"), "demo", "--once"],
    {
      cwd: folder.path,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: folder.path, NO_COLOR: "1" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [said, exitCode] = await Promise.all([new Response(deno.stderr).text(), deno.exited]);
  expect({ exitCode, right: said.match(/ ✓$/gm)?.length, said }).toEqual({ exitCode: 0, right: 10, said });
  expect(said).toContain("dlq-processor");
}, 120_000);

test("it serves and speaks gRPC there: a task of either port is seen through the other", async () => {
  await using running = await startThroughline(["serve", "--rpc=grpc", ...freePorts], { command: "deno" });
  const { gateway_url: gatewayUrl, grpc_url: grpcUrl = "" } = running.addresses;
  const api = httpApi(gatewayUrl);
  const client = createClient(TaskService, createGrpcTransport({ baseUrl: grpcUrl }));

  const task = await client.createTask({ type: "echo" });
  expect(await api.ended(task.id)).toMatchObject({ status: "succeeded" });
  const { id } = await api.submit({ type: "echo" });
  expect(await client.getTask({ id, wait: "20s" })).toMatchObject({ id, status: "succeeded" });

  const waiting = await api.submit({ type: "echo", delay: "1h" });
  const held = client.getTask({ id: waiting.id, wait: "3600s" });
  await eventually(() => isTaskServiceWaiting(running.addresses.admin_url));
  const exited = running.stop();
  expect(await held).toMatchObject({ status: "scheduled" });
  expect(await exited).toBe(0);
}, 120_000);

test("it runs handlers with any ending, and CommonJS whatever the package.json says", async () => {
  const handlers = { ...plainHandlers, ...commonJsHandlers };
  await using project = await writtenProject(handlers);
  const flags = ["--threads=1", `--handlers=${resolve(project.path, "handlers")}`, ...freePorts];
  await using running = await startThroughline(flags, { command: "deno" });
  const api = httpApi(running.addresses.gateway_url);
  const right = resultsOf(handlers);
  const ends = Object.keys(right).map(async (type) => {
    const task = await api.ended((await api.submit({ type, payload: "Ada", max_attempts: 1 })).id);
    return [type, task.status === "succeeded" ? task.result : task.error];
  });
  expect(Object.fromEntries(await Promise.all(ends))).toEqual(right);
}, 120_000);
