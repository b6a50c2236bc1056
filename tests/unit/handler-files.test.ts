import { expect, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { handlerFiles } from "../../src/worker/handlers/handler-files.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("a link is what it leads to, and one that leads nowhere is a handler that cannot be loaded", async () => {
  await using folder = await tempFolder();
  await using elsewhere = await tempFolder();
  await writeFile(join(elsewhere.path, "real.ts"), "");
  await mkdir(join(elsewhere.path, "lib.ts"));
  await symlink(join(elsewhere.path, "real.ts"), join(folder.path, "file.ts"));
  await symlink(join(elsewhere.path, "lib.ts"), join(folder.path, "folder.ts"));
  await symlink(elsewhere.path, join(folder.path, "other"));
  await symlink(join(elsewhere.path, "gone.ts"), join(folder.path, "nowhere.ts"));
  expect(handlerFiles(folder.path)).toEqual({
    handlers: ["file.ts", "nowhere.ts"],
    passedOver: ["folder.ts/", "other/"],
  });
});
