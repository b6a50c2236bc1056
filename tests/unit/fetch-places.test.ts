import { expect, test } from "bun:test";
import { fetchPlaces, fetchPlacesOfThread } from "../../src/http/fetch-places.ts";

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
