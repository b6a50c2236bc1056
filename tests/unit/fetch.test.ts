import { describe, expect, test } from "bun:test";
import {
  fetchPlaces,
  fetchPlacesOfThread,
  keepOffProxies,
  keepSettingsOffProxies,
  proxyOf,
} from "../../src/http/fetch.ts";

const proxy = "http://proxy.corp:3128";

describe("the proxy of a call", () => {
  const cases: [env: Record<string, string>, url: string, found: string | undefined][] = [
    [{}, "http://a.example/", undefined],
    [{ HTTP_PROXY: proxy }, "http://a.example/", proxy],
    [{ HTTP_PROXY: proxy }, "https://a.example/", undefined],
    [{ https_proxy: proxy }, "https://a.example/", proxy],
    [{ ALL_PROXY: proxy }, "https://a.example/", proxy],
    [{ all_proxy: "proxy.corp:3128" }, "http://a.example/", proxy],
    [{ HTTP_PROXY: "http://other:1", http_proxy: proxy }, "http://a.example/", proxy],
    [{ HTTP_PROXY: "", ALL_PROXY: proxy }, "http://a.example/", proxy],
  ];
  test.each(cases)("is by %p, to %p, %p", (env, url, found) => {
    expect(proxyOf(new URL(url), env)).toBe(found as never);
  });

  const exempt: [noProxy: string, url: string, isExempt: boolean][] = [
    ["*", "http://a.example/", true],
    ["a.example", "http://a.example/", true],
    ["a.example", "http://b.a.example/", true],
    [".a.example", "http://a.example./", true],
    ["*.a.example", "http://b.A.example/", true],
    ["a.example", "http://ba.example/", false],
    ["x, a.example ,y", "http://a.example/", true],
    ["x a.example", "http://a.example/", true],
    ["a.example:8080", "http://a.example:8080/", true],
    ["a.example:8080", "http://a.example/", false],
    ["a.example:443", "https://a.example/", true],
    ["10.0.0.0/8", "http://10.1.2.3/", true],
    ["10.0.0.0/8", "http://11.1.2.3/", false],
    ["10.0.0.0/99", "http://10.1.2.3/", false],
    ["fd00::/8", "http://[fd00::1]/", true],
    ["::1", "http://[::1]:8080/", true],
    ["[::1]:8080", "http://[::1]:8080/", true],
    ["127.0.0.1", "http://127.0.0.1:9/", true],
    ["0.0.1", "http://127.0.0.1/", false],
    ["", "http://a.example/", false],
  ];
  test.each(exempt)("is none where NO_PROXY %p has %p: %p", (noProxy, url, isExempt) => {
    for (const name of ["NO_PROXY", "no_proxy"]) {
      const found = proxyOf(new URL(url), { ALL_PROXY: proxy, [name]: noProxy });
      expect(found === undefined).toBe(isExempt);
    }
  });
});

describe("what is kept off proxies", () => {
  const isDirect = (url: string, env: Record<string, string | undefined>): boolean =>
    proxyOf(new URL(url), env) === undefined;

  test("is this machine, by each name and address, whatever variable names the proxy", () => {
    for (const name of ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "grpc_proxy"]) {
      const env: Record<string, string | undefined> = { [name]: proxy, NO_PROXY: "own.example" };
      keepOffProxies([], env);
      env.ALL_PROXY = proxy;
      const hosts = ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "0.0.0.0", "0", "[::]", "own.example"];
      const urls = hosts.map((host) => `http://${host}:80/`);
      expect(urls.filter((url) => !isDirect(url, env))).toEqual([]);
      expect(isDirect("http://a.example/", env)).toBe(false);
    }
  });

  test("is what the settings name in plain HTTP; what is encrypted may be beyond the proxy", () => {
    const env: Record<string, string | undefined> = { ALL_PROXY: proxy };
    keepSettingsOffProxies(
      {
        taskServiceUrl: "http://tasks:8081",
        gatewayUrl: "http://[fd12::1]:8080",
        jaegerUrl: undefined,
        queueEndpoint: "http://elasticmq:9324",
        storeEndpoint: "https://dynamodb.eu-west-1.amazonaws.com",
      },
      env,
    );
    expect(env.no_proxy).toBe(env.NO_PROXY);
    expect(
      ["http://tasks:8081/", "http://[fd12::1]:8080/", "http://elasticmq/"].map((url) => isDirect(url, env)),
    ).toEqual([true, true, true]);
    expect(isDirect("https://dynamodb.eu-west-1.amazonaws.com/", env)).toBe(false);
  });

  test("changes nothing where there is no proxy", () => {
    const env = { NO_PROXY: "a" };
    keepOffProxies(["http://b"], env);
    expect(env).toEqual({ NO_PROXY: "a" });
  });
});

const variable = "BUN_CONFIG_MAX_HTTP_REQUESTS";

test("the places are those that the environment says, else Bun's own", () => {
  const said = ["512", undefined, "", "many", "-1", "0"].map((text) => fetchPlaces({ [variable]: text }));
  expect(said).toEqual([512, 256, 256, 256, 256, 256]);
});

test("handler threads share what the roles leave, and each has one at least", () => {
  const shares = [
    [1, 4096],
    [16, 4096],
    [2, 256],
    [256, 256],
    [4, 10],
  ].map(([threads = 0, places = 0]) => fetchPlacesOfThread(threads, places));
  expect(shares).toEqual([3840, 240, 64, 1, 1]);
});
