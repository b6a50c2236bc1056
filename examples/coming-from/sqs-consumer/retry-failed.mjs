import { SQSClient, StartMessageMoveTaskCommand } from "@aws-sdk/client-sqs";

const { DEAD_LETTER_ARN: SourceArn } = process.env;
await new SQSClient().send(new StartMessageMoveTaskCommand({ SourceArn }));
