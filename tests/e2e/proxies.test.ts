/** The compiled executable where the environment names a proxy: what stays off it, and what goes by it. */

import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runThroughline } from "../support/command.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { startRecordingProxy } from "../support/recording-proxy.ts";
import { startRecordingServer } from "../support/recording-server.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;

const handler = `export default {
  run: async ({ payload }, ctx) => [(await ctx.fetch(payload)).status, (await fetch(payload)).status],
};`;

test.each(["connect", "grpc"])(
  "its parts and its commands talk past the proxy, its handlers and the type http by it (--rpc=%s)",
  async (rpc) => {
    await using server = await startRecordingServer();
    await using proxy = await startRecordingProxy(server.url);
    await using folder = await tempFolder();
    await writeFile(join(folder.path, "ask.mjs"), handler);
    const env = { HTTP_PROXY: proxy.url, https_proxy: proxy.url, http_proxy: proxy.url, ALL_PROXY: proxy.url };
    const args = [...freePorts, `--data-dir=${join(folder.path, "data")}`, `--handlers=${folder.path}`];
    await using serving = await startThroughline(
      [...args, `--rpc=${rpc}`, "--threads=1", "--http-allow=loopback,shop.example"],
      { env },
    );
    const { gateway_url: url = "", console_url: consoleUrl = "" } = serving.addresses;
    const own = { ...env, THROUGHLINE_URL: url, THROUGHLINE_CONSOLE_URL: consoleUrl, THROUGHLINE_API_KEY: "secret" };
    const submitted = await runThroughline(["task", "submit", "echo", '"in the payload"', "--wait"], own);
    expect(submitted).toMatchObject({ exitCode: 0 });
    const api = httpApi(url);
    const there = await api.submit({ type: "http", payload: { url: `${server.url}/direct` } });
    expect(await api.ended(there.id)).toMatchObject({ status: "succeeded" });
    expect(proxy.asked).toEqual([]);

    const called = await api.submit({ type: "http", payload: { url: "http://shop.example/http" } });
    expect(await api.ended(called.id)).toMatchObject({ status: "succeeded", result: { status: 200, body: {} } });
    const asked = await api.submit({ type: "ask", payload: "http://shop.example/handler" });
    expect(await api.ended(asked.id)).toMatchObject({ status: "succeeded", result: [200, 200] });
    expect(proxy.asked).toEqual([
      "POST http://shop.example/http",
      "GET http://shop.example/handler",
      "GET http://shop.example/handler",
    ]);
  },
  limitMs,
);
