/** Attributes of queues: what SQS allows, what they are by default, and what of them the broker goes by. */

import { invalidParameter, SqsError } from "./sqs-error.ts";
import { type Input, isInput } from "./sqs-input.ts";

/** Texts, as SQS gives them. */
export type QueueAttributes = Map<string, string>;

/** What the broker goes by. */
export interface QueueRules {
  delayMs: number;
  hideMs: number;
  waitMs: number;
  maxMessageBytes: number;
  redrive: { targetArn: string; maxReceives: number } | undefined;
}

/** One message, and one batch. */
export const mostBytes = 1024 * 1024;
const seconds = 1000;

interface Attribute {
  /** Empty: it is only there when it is set. */
  fallback: string;
  isValid(text: string): boolean;
}

const wholeNumber = (fallback: number, min: number, max: number): Attribute => ({
  fallback: String(fallback),
  isValid: (text) => Number.isInteger(Number(text)) && text.trim() !== "" && Number(text) >= min && Number(text) <= max,
});
const anyText: Attribute = { fallback: "", isValid: () => true };
const boolean = (fallback: string): Attribute => ({ fallback, isValid: (text) => text === "true" || text === "false" });

/** Those that can be set. A queue without FIFO does not know the others of SQS. */
const settable: Readonly<Record<string, Attribute>> = {
  DelaySeconds: wholeNumber(0, 0, 900),
  MaximumMessageSize: wholeNumber(mostBytes, 1024, mostBytes),
  MessageRetentionPeriod: wholeNumber(345_600, 60, 1_209_600),
  ReceiveMessageWaitTimeSeconds: wholeNumber(0, 0, 20),
  VisibilityTimeout: wholeNumber(30, 0, 43_200),
  Policy: anyText,
  RedrivePolicy: anyText,
  RedriveAllowPolicy: anyText,
  KmsMasterKeyId: anyText,
  KmsDataKeyReusePeriodSeconds: { ...wholeNumber(300, 60, 86_400), fallback: "" },
  SqsManagedSseEnabled: boolean("true"),
};

/** Besides those that can be set. */
const computed = [
  "ApproximateNumberOfMessages",
  "ApproximateNumberOfMessagesDelayed",
  "ApproximateNumberOfMessagesNotVisible",
  "CreatedTimestamp",
  "LastModifiedTimestamp",
  "QueueArn",
];

export function defaultAttributes(): QueueAttributes {
  const names = Object.entries(settable).filter(([, { fallback }]) => fallback !== "");
  return new Map(names.map(([name, { fallback }]) => [name, fallback]));
}

/** What a caller wants to be set, checked; `isQueue` tells whether there is a queue of an ARN. */
export function readQueueAttributes(given: Input | undefined, isQueue: (arn: string) => boolean): QueueAttributes {
  const attributes: QueueAttributes = new Map();
  for (const [name, value] of Object.entries(given ?? {})) {
    const attribute = Object.hasOwn(settable, name) ? settable[name] : undefined;
    if (!attribute) throw unknownAttribute(name);
    if (typeof value !== "string" || (value !== "" && !attribute.isValid(value))) {
      throw new SqsError("InvalidAttributeValue", `Invalid value for the parameter ${name}.`);
    }
    if (value === "" && attribute.fallback !== "") {
      throw new SqsError("InvalidAttributeValue", `Invalid value for the parameter ${name}.`);
    }
    if (name === "RedrivePolicy" && value !== "") checkRedrive(value, isQueue);
    attributes.set(name, value);
  }
  return attributes;
}

/** The names that are asked for; `All` is all of them. */
export function wantedAttributes(names: readonly string[]): readonly string[] {
  const known = [...Object.keys(settable), ...computed];
  for (const name of names) if (name !== "All" && !known.includes(name)) throw unknownAttribute(name);
  return names.includes("All") ? known : names;
}

function unknownAttribute(name: string): SqsError {
  return new SqsError("InvalidAttributeName", `Unknown Attribute ${name}.`);
}

export function rulesOf(attributes: QueueAttributes): QueueRules {
  const numberOf = (name: string): number => Number(attributes.get(name));
  const policy = attributes.get("RedrivePolicy") ?? "";
  return {
    delayMs: numberOf("DelaySeconds") * seconds,
    hideMs: numberOf("VisibilityTimeout") * seconds,
    waitMs: numberOf("ReceiveMessageWaitTimeSeconds") * seconds,
    maxMessageBytes: numberOf("MaximumMessageSize"),
    redrive: policy === "" ? undefined : readRedrive(policy),
  };
}

function checkRedrive(policy: string, isQueue: (arn: string) => boolean): void {
  if (!isQueue(readRedrive(policy).targetArn)) {
    throw invalidParameter(policy, "RedrivePolicy", "Dead letter target does not exist.");
  }
}

const mostReceives = 1000;

function readRedrive(policy: string): { targetArn: string; maxReceives: number } {
  const wrong = (reason: string): SqsError => invalidParameter(policy, "RedrivePolicy", reason);
  let parsed: unknown;
  try {
    parsed = JSON.parse(policy);
  } catch {
    throw wrong("Redrive policy is not a valid JSON map.");
  }
  if (!isInput(parsed)) throw wrong("Redrive policy is not a valid JSON map.");
  const { deadLetterTargetArn, maxReceiveCount } = parsed;
  for (const name of ["deadLetterTargetArn", "maxReceiveCount"]) {
    if (parsed[name] === undefined) throw wrong(`Redrive policy does not contain mandatory attribute: ${name}.`);
  }
  const maxReceives = Number(maxReceiveCount);
  if (!Number.isInteger(maxReceives) || maxReceives < 1 || maxReceives > mostReceives) {
    const valid = `valid values are from 1 to ${mostReceives} both inclusive.`;
    throw wrong(`Invalid value for maxReceiveCount: ${maxReceiveCount}, ${valid}`);
  }
  return { targetArn: String(deadLetterTargetArn), maxReceives };
}
