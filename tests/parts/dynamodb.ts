/** DynamoDB Local: AWS's own DynamoDB for tests, from Maven's jars, with its tables in memory. */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { freePort, startOnFreePorts } from "./free-port.ts";
import { launch, type Part } from "./launch.ts";

/** DynamoDB Local and what it needs, in `lib`: jars, and SQLite's native libraries. */
export const dynamoDbRecipe: Recipe = {
  name: "dynamodb",
  version: "2.6.1",
  buildNeeds: ["mvn", "java"],
  startNeeds: ["java"],
  buildTime: "about half a minute",
  build: buildDynamoDb,
};

const dependencyPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>throughline</groupId><artifactId>dynamodb-part</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.amazonaws</groupId><artifactId>DynamoDBLocal</artifactId><version>${dynamoDbRecipe.version}</version>
    </dependency>
  </dependencies>
</project>
`;

async function buildDynamoDb(folder: string): Promise<void> {
  await Bun.write(join(folder, "pom.xml"), pom);
  const copyJars = `${dependencyPlugin}:copy-dependencies`;
  await runBuildStep(["mvn", copyJars, "-q", "-B", "--strict-checksums", "-DoutputDirectory=lib"], folder);
}

/** Starts it on a free port. Clients: any region, keys of letters and digits, `url` as the endpoint. */
export async function startDynamoDb(): Promise<Part> {
  return startOnFreePorts(async () => launchOn(await freePort()));
}

async function launchOn(port: number): Promise<Part> {
  const url = `http://127.0.0.1:${port}`;
  const { PATH = "", JAVA_HOME = "" } = process.env;
  const launched = await launch({
    name: "DynamoDB Local",
    command: javaCommand(port),
    env: { PATH, JAVA_HOME },
    readyLine: "Initializing DynamoDB Local",
    // Without a signature it answers 400, as itself.
    answers: async () => (await fetch(url)).status === 400,
  });
  return { url, pid: launched.pid, stop: launched.stop, [Symbol.asyncDispose]: launched.stop };
}

/** A small heap and the plain collector start faster; without perf data nothing is left in the temp folder. */
function javaCommand(port: number): string[] {
  const lib = join(partFolder(dynamoDbRecipe), "lib");
  const flags = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", `-Djava.library.path=${lib}`];
  const server = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner";
  return ["java", ...flags, "-cp", join(lib, "*"), server, "-inMemory", "-disableTelemetry", "-port", String(port)];
}
