import { expect, test } from "bun:test";
import { join } from "node:path";
import { fetchPlaces, fetchPlacesOfThread } from "../../src/fetch-places.ts";
import { projectFolder } from "../support/executable.ts";

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

test("a process starts itself anew with more, with its id, its arguments and its environment, and once", async () => {
  const run = async (env: Record<string, string>): Promise<[pid: number, lines: string[]]> => {
    const file = join(projectFolder, "tests/fixtures/widen-places.ts");
    const child = Bun.spawn([process.execPath, file, "a b", "--c"], { env, stdout: "pipe" });
    return [child.pid, (await new Response(child.stdout).text()).trimEnd().split("\n")];
  };
  const [pid, lines] = await run({ OWN: "1" });
  expect(lines).toEqual([`${pid}`, `${pid}`, '[true,"1",["a b","--c"]]']);
  const [otherPid, otherLines] = await run({ OWN: "1", [variable]: "256" });
  expect(otherLines).toEqual([`${otherPid}`, '[false,"1",["a b","--c"]]']);
});
