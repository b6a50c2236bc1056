/** Looks at the data folder: is it there, can it be written, is there room, would a start take its files. Makes nothing. */

import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { isFolderLocked } from "../../broker/folder-lock.ts";
import type { Config } from "../../config.ts";
import { isNearlyFull } from "../../host/free-disk.ts";
import { needsStore } from "../../role.ts";
import { previewOpening } from "../../store/sqlite/sqlite.ts";
import { toFailure } from "../../words/errors.ts";
import { type Finding, failed, ok, warn } from "./finding.ts";

export function lookAtDataFolder(config: Config): Finding[] {
  const folder = lookAtFolder(config);
  return folder.status === "failed" ? [folder] : [folder, ...lookAtFiles(config)];
}

function lookAtFolder({ dataDir }: Config): Finding {
  const nearest = nearestFolder(dataDir);
  const will = nearest === dataDir ? "is there" : "will be made at the first start";
  if (!statSync(nearest).isDirectory()) {
    return failed("data folder", `${nearest} is no folder`, "set --data-dir to a folder, or move that file away");
  }
  try {
    accessSync(nearest, constants.W_OK);
  } catch (error) {
    const detail = `${dataDir} cannot be written: ${toFailure(error).message}`;
    return failed("data folder", detail, "give the user of the process write access, or set --data-dir");
  }
  const room = statfsSync(nearest);
  const free = `${Math.floor((room.bavail * room.bsize) / 1e6)} MB free`;
  if (isNearlyFull(room)) {
    return warn("data folder", `${dataDir} ${will}, ${free}: new tasks are refused`, "free room on that disk");
  }
  return ok("data folder", `${dataDir} ${will}, ${free}`);
}

/** What a start would find in the folder; nothing when all is well. */
function lookAtFiles({ dataDir, table, queue, role }: Config): Finding[] {
  const [check, mend] = ["data folder", "set --data-dir to another folder, or move that file away"];
  try {
    if (role.some(needsStore)) previewOpening({ folder: dataDir, table });
    if (queue !== "embedded" || !isFolderLocked(dataDir)) return [];
    return [
      warn(check, `${dataDir} is used by a Throughline that runs`, "stop it before another starts on this folder"),
    ];
  } catch (error) {
    return [failed(check, `a start refuses ${dataDir}: ${toFailure(error).message}`, mend)];
  }
}

function nearestFolder(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder));
}
