/** `throughline setup` with the compiled executable: makes what is not there, and may be run again. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { DescribeTableCommand, DescribeTimeToLiveCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { startDynamoDb } from "../parts/dynamodb.ts";
import { runThroughline } from "../support/command.ts";
import { awsVariables } from "../support/dynamo-store.ts";
import { describeWith } from "../support/requires.ts";

setDefaultTimeout(120_000);

const withDynamoDb = describeWith("dynamodb");

withDynamoDb("throughline setup", () => {
  test("makes the table with its index and time to live, and leaves alone what is there", async () => {
    await using part = await startDynamoDb();
    const env = { ...awsVariables, AWS_ENDPOINT_URL_DYNAMODB: part.url };
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    const client = new DynamoDBClient({ endpoint: part.url, region: awsVariables.AWS_REGION, credentials });
    const look = () => client.send(new DescribeTableCommand({ TableName: "mine" }));
    const args = ["setup", "--store=dynamodb", "--table=mine", "--environment=production"];
    const told = [
      'the table "mine" is there, with its indexes and its time to live',
      "the queue needs nothing made: it is embedded",
    ];
    for (const _ of ["makes it", "finds it"]) {
      const { exitCode, stdout, errors } = await runThroughline(args, env);
      expect({ exitCode, told: stdout.trim().split("\n"), errors }).toEqual({ exitCode: 0, told, errors: [] });
    }
    const { Table } = await look();
    const indexes = Table?.GlobalSecondaryIndexes?.map(({ IndexName, IndexStatus }) => `${IndexName} ${IndexStatus}`);
    expect(indexes?.sort()).toEqual(["lanes ACTIVE", "list ACTIVE"]);
    const ttl = await client.send(new DescribeTimeToLiveCommand({ TableName: "mine" }));
    expect(ttl.TimeToLiveDescription).toEqual({ AttributeName: "ttl", TimeToLiveStatus: "ENABLED" });
    client.destroy();
  });

  test("says what is wrong when nobody answers there", async () => {
    const env = { ...awsVariables, AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:1" };
    const { exitCode, errors } = await runThroughline(["setup", "--store=dynamodb"], env);
    expect([exitCode, errors.length]).toEqual([1, 1]);
    expect(errors[0]).toStartWith('throughline: could not make the table "tasks": ');
  });
});
