/** ElasticMQ: a real SQS server for tests, from Maven's jars, with its queues in memory and the limits of AWS. */

import { join } from "node:path";
import { tempFolder } from "../support/temp-folder.ts";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { freePort, startOnFreePorts } from "./free-port.ts";
import { type Launched, launch, type Part } from "./launch.ts";

/** ElasticMQ and the jars it needs, in `lib`. */
export const elasticMqRecipe: Recipe = {
  name: "elasticmq",
  version: "1.7.1",
  buildNeeds: ["mvn", "java"],
  startNeeds: ["java"],
  buildTime: "about half a minute",
  build: buildElasticMq,
};

export interface ElasticMqPart extends Part {
  /** Kills it and starts it empty, with the same settings on the same port. */
  restart(): Promise<void>;
}

export interface ElasticMqOptions {
  /** HOCON put after our own settings, for example `queues { tasks { defaultVisibilityTimeout = 2 seconds } }`. */
  conf?: string;
}

const dependencyPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>throughline</groupId><artifactId>elasticmq-part</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.elasticmq</groupId><artifactId>elasticmq-server_2.13</artifactId><version>${elasticMqRecipe.version}</version>
    </dependency>
  </dependencies>
</project>
`;

async function buildElasticMq(folder: string): Promise<void> {
  await Bun.write(join(folder, "pom.xml"), pom);
  const copyJars = `${dependencyPlugin}:copy-dependencies`;
  await runBuildStep(["mvn", copyJars, "-q", "-B", "--strict-checksums", "-DoutputDirectory=lib"], folder);
}

/** Starts it on a free port. Clients: region `elasticmq`, any keys, `url` as the endpoint. Takes about two seconds. */
export async function startElasticMq(options: ElasticMqOptions = {}): Promise<ElasticMqPart> {
  const folder = await tempFolder();
  try {
    const start = () => freePort().then((port) => launchOn(port, folder.path, options.conf ?? ""));
    return toPart(await startOnFreePorts(start), folder);
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

interface Started {
  url: string;
  launched: Launched;
  launchAgain(): Promise<Launched>;
}

function toPart(started: Started, folder: AsyncDisposable): ElasticMqPart {
  let { launched } = started;
  const stop = async () => {
    await launched.stop();
    await folder[Symbol.asyncDispose]();
  };
  return {
    url: started.url,
    get pid() {
      return launched.pid;
    },
    async restart() {
      await launched.stop();
      launched = await started.launchAgain();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function launchOn(port: number, folder: string, conf: string): Promise<Started> {
  const url = `http://localhost:${port}`;
  const configFile = join(folder, "elasticmq.conf");
  await Bun.write(configFile, `${settings(port)}${conf}\n`);
  const { PATH = "", JAVA_HOME = "" } = process.env;
  const launchAgain = () =>
    launch({
      name: "ElasticMQ",
      command: javaCommand(configFile),
      env: { PATH, JAVA_HOME },
      readyLine: "=== ElasticMQ server",
      answers: async () => (await fetch(`${url}/?Action=ListQueues`)).ok,
    });
  return { url, launched: await launchAgain(), launchAgain };
}

function settings(port: number): string {
  return `include classpath("application.conf")
node-address { host = localhost, port = ${port} }
rest-sqs { bind-port = ${port}, bind-hostname = "127.0.0.1", sqs-limits = strict }
rest-stats { enabled = false }
`;
}

/** A small heap and the plain collector start faster; without perf data nothing is left in the temp folder. */
function javaCommand(configFile: string): string[] {
  const jars = join(partFolder(elasticMqRecipe), "lib", "*");
  const flags = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", `-Dconfig.file=${configFile}`];
  return ["java", ...flags, "-cp", jars, "org.elasticmq.server.Main"];
}
