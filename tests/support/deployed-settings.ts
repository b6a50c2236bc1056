/** The settings with which a deployment starts a role, read as the role itself would read them. */

import { join } from "node:path";
import { type Config, flagOf, readConfig, settingNames } from "../../src/config.ts";
import { projectFolder } from "./executable.ts";

export type Environment = Record<string, string>;

/** The instructions of our Dockerfile, each in one line. */
export async function imageInstructions(): Promise<string[]> {
  const text = await Bun.file(join(projectFolder, "Dockerfile")).text();
  return text
    .replace(/^#.*\n/gm, "")
    .replace(/ \\\n\s*/g, " ")
    .split("\n");
}

/** Our variables, as the image sets them. */
async function imageEnvironment(): Promise<Environment> {
  const text = (await imageInstructions()).join(" ");
  return Object.fromEntries([...text.matchAll(/\b(THROUGHLINE_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]));
}

/** What a container with these arguments (`serve --role=…`) and variables has; throws with all that is wrong. */
export async function containerConfig([command, ...args]: readonly string[], env: Environment): Promise<Config> {
  if (command !== "serve") throw new Error(`the first argument is "${command}", not the command "serve"`);
  const pairs = args.map((arg) => {
    const [flag = "", ...value] = arg.split("=");
    const name = settingNames.find((each) => flagOf(each) === flag);
    if (name === undefined) throw new Error(`there is no setting ${flag}`);
    return [name, value.join("=")];
  });
  return readConfig(Object.fromEntries(pairs), { ...(await imageEnvironment()), ...env }).config;
}
