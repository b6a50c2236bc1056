/** Toxiproxy: a real TCP proxy for tests, built from its Go module, that makes a network as bad as a test asks for. */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { freePort, PortTakenError, startOnFreePorts } from "./free-port.ts";
import { launch, type Part } from "./launch.ts";

/** The `toxiproxy` executable. */
export const toxiproxyRecipe: Recipe = {
  name: "toxiproxy",
  version: "2.12.0",
  buildNeeds: ["go"],
  startNeeds: [],
  buildTime: "about a minute",
  build: buildToxiproxy,
};

/**
 * What may be wrong between a client and the server behind a proxy. But for `down`, requests arrive and it is the
 * answers that suffer: the server has done what its client never hears of.
 */
export type Fault =
  /** Each piece of an answer is held for `latencyMs`, give or take `jitterMs`. */
  | { kind: "latency"; latencyMs: number; jitterMs: number }
  /** The connection is reset in place of an answer. */
  | { kind: "reset" }
  /** Connections are accepted and stay open, and no answer ever comes; when the fault goes, they are closed. */
  | { kind: "half_open" }
  | { kind: "bandwidth"; kilobytesPerSecond: number }
  /** Every connection is closed, and none is accepted. */
  | { kind: "down" };

/** One way to one server. */
export interface FaultProxy {
  /** `http://host:port` to use in place of the server's own. */
  url: string;
  /** Begins a fault, on connections that are open already too. */
  add(fault: Fault): Promise<void>;
  /** Ends it; rejects when there is none of that kind. */
  remove(kind: Fault["kind"]): Promise<void>;
}

/** Its `url` is that of its own HTTP API. */
export interface ToxiproxyPart extends Part {
  /** A way to the server at `upstreamUrl` (`http://host:port`), on a free port, with nothing wrong yet. */
  proxy(upstreamUrl: string): Promise<FaultProxy>;
  /** Ends every fault of every proxy. */
  reset(): Promise<void>;
}

const goModule = "github.com/Shopify/toxiproxy/v2";

async function buildToxiproxy(folder: string): Promise<void> {
  const env = { GOWORK: "off", CGO_ENABLED: "0" };
  await runBuildStep(["go", "mod", "init", "toxiproxy-part"], folder, env);
  await runBuildStep(["go", "get", `${goModule}/cmd/server@v${toxiproxyRecipe.version}`], folder, env);
  const output = ["-trimpath", "-ldflags=-s -w", "-o", "toxiproxy"];
  await runBuildStep(["go", "build", ...output, `${goModule}/cmd/server`], folder, env);
}

/** Starts it on a free port. Takes well under a second. */
export function startToxiproxy(): Promise<ToxiproxyPart> {
  return startOnFreePorts(async () => launchOn(await freePort()));
}

async function launchOn(port: number): Promise<ToxiproxyPart> {
  const url = `http://127.0.0.1:${port}`;
  const launched = await launch({
    name: "Toxiproxy",
    command: [join(partFolder(toxiproxyRecipe), "toxiproxy"), "-host=127.0.0.1", `-port=${port}`],
    env: { LOG_LEVEL: "info" },
    readyLine: "Starting Toxiproxy HTTP server",
    answers: async () => (await fetch(`${url}/version`)).ok,
  });
  const call = createCall(url);
  return {
    url,
    ...launched,
    proxy: (upstreamUrl) => startOnFreePorts(async () => createProxy(call, await freePort(), upstreamUrl)),
    reset: () => call("POST", "/reset"),
    [Symbol.asyncDispose]: launched.stop,
  };
}

type Call = (method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown) => Promise<void>;

/** Rejects with what the API says is wrong. */
function createCall(url: string): Call {
  return async (method, path, body) => {
    const answer = await fetch(url + path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    const text = await answer.text();
    if (answer.ok) return;
    if (text.includes("address already in use")) throw new PortTakenError(`a proxy's port was taken: ${text}`);
    throw new Error(`Toxiproxy answered ${answer.status} to ${method} ${path}: ${text.trim()}`);
  };
}

async function createProxy(call: Call, port: number, upstreamUrl: string): Promise<FaultProxy> {
  const listen = `127.0.0.1:${port}`;
  const path = `/proxies/${port}`;
  await call("POST", "/proxies", { name: String(port), listen, upstream: new URL(upstreamUrl).host });
  return {
    url: `http://${listen}`,
    add: (fault) =>
      fault.kind === "down"
        ? call("PATCH", path, { enabled: false })
        : call("POST", `${path}/toxics`, { name: fault.kind, stream: "downstream", ...toToxic(fault) }),
    remove: (kind) =>
      kind === "down" ? call("PATCH", path, { enabled: true }) : call("DELETE", `${path}/toxics/${kind}`),
  };
}

/** In Toxiproxy's own words. */
function toToxic(fault: Exclude<Fault, { kind: "down" }>): { type: string; attributes: Record<string, number> } {
  switch (fault.kind) {
    case "latency":
      return { type: "latency", attributes: { latency: fault.latencyMs, jitter: fault.jitterMs } };
    case "reset":
      return { type: "reset_peer", attributes: { timeout: 0 } };
    case "half_open":
      return { type: "timeout", attributes: { timeout: 0 } };
    case "bandwidth":
      return { type: "bandwidth", attributes: { rate: fault.kilobytesPerSecond } };
  }
}
