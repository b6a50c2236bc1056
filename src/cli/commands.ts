/**
 * Every command, in the order in which help lists them. A command has two files: its declaration here below commands/
 * (flags, help, examples), which every start of the program loads, and its doing in cli/, which only its action imports.
 */

import type { Command } from "commander";
import { addBackup } from "./commands/backup.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfig } from "./commands/config.ts";
import { addDemo } from "./commands/demo.ts";
import { addDev } from "./commands/dev.ts";
import { addDlq } from "./commands/dlq.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addHealth } from "./commands/health.ts";
import { addInit } from "./commands/init.ts";
import { addKey } from "./commands/key.ts";
import { addOpenApi } from "./commands/openapi.ts";
import { addSchedule } from "./commands/schedule.ts";
import { addServe } from "./commands/serve.ts";
import { addSetup } from "./commands/setup.ts";
import { addTask } from "./commands/task.ts";
import { addTest } from "./commands/test.ts";
import { addTrace } from "./commands/trace.ts";
import { addVerify } from "./commands/verify.ts";
import { addVersion } from "./commands/version.ts";

/** Says with which exit code the program ends; 0 when nobody says. */
export type End = (exitCode: number) => void;

/** Adds a command, or a group of commands, to the program. */
export type AddCommand = (program: Command, end: End) => void;

/** Below the headings of the help. */
export const commands: readonly (readonly [heading: string, adders: readonly AddCommand[]])[] = [
  ["Run it:", [addServe, addDemo]],
  ["Write handlers:", [addInit, addDev, addTest]],
  ["Use it:", [addTask, addSchedule, addDlq, addTrace]],
  ["Look after it:", [addDoctor, addVerify, addConfig, addSetup, addBackup, addKey, addHealth]],
  ["Other:", [addOpenApi, addCompletion, addVersion]],
];
