/** The command line: chooses what to do; nothing else. */

import { runCommandLine } from "./cli/command-line.ts";
import { keepOffProxies } from "./http/fetch.ts";

// First of all: clients read it when they are made.
keepOffProxies([]);
process.exitCode = await runCommandLine(process.argv.slice(2));
// Threads or sockets that an error left behind must not keep a finished command alive.
process.exit();
