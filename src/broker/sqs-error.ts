/**
 * The errors of SQS, as its JSON protocol tells them: `__type` and `message` in the body, and in `x-amzn-query-error` the
 * code that the older query protocol had, which the SDKs go on giving to their callers ("AWS query-compatible protocol",
 * Smithy). Codes and words are those of the API reference and of the service itself.
 */

interface Kind {
  /** The shape's name, with its namespace. */
  type: string;
  queryCode: string;
  /** 400 by default. */
  status?: number;
}

const modeled = (name: string, queryCode = `AWS.SimpleQueueService.${name}`): Kind => ({
  type: `com.amazonaws.sqs#${name}`,
  queryCode,
});
/** Of the framework that the service is built on. */
const common = (name: string, queryCode: string): Kind => ({ type: `com.amazon.coral.service#${name}`, queryCode });

const kinds = {
  BatchEntryIdsNotDistinct: modeled("BatchEntryIdsNotDistinct"),
  BatchRequestTooLong: modeled("BatchRequestTooLong"),
  EmptyBatchRequest: modeled("EmptyBatchRequest"),
  InvalidAttributeName: modeled("InvalidAttributeName", "InvalidAttributeName"),
  InvalidAttributeValue: modeled("InvalidAttributeValue", "InvalidAttributeValue"),
  InvalidBatchEntryId: modeled("InvalidBatchEntryId"),
  InvalidMessageContents: modeled("InvalidMessageContents", "InvalidMessageContents"),
  InvalidParameterValue: common("InvalidParameterValueException", "InvalidParameterValue"),
  MessageNotInflight: modeled("MessageNotInflight"),
  MissingParameter: common("MissingRequiredParameterException", "MissingParameter"),
  OverLimit: { ...modeled("OverLimit", "OverLimit"), status: 403 },
  QueueDoesNotExist: modeled("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
  QueueNameExists: modeled("QueueNameExists", "QueueAlreadyExists"),
  ReceiptHandleIsInvalid: modeled("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
  SerializationException: common("SerializationException", "MalformedInput"),
  TooManyEntriesInBatchRequest: modeled("TooManyEntriesInBatchRequest"),
  UnknownOperation: common("UnknownOperationException", "InvalidAction"),
  UnsupportedOperation: modeled("UnsupportedOperation"),
} as const satisfies Record<string, Kind>;

export type SqsErrorCode = keyof typeof kinds;

export class SqsError extends Error {
  override readonly name = "SqsError";
  /** As an entry of a batch has it. */
  readonly code: SqsErrorCode;

  constructor(code: SqsErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get status(): number {
    const { status = 400 }: Kind = kinds[this.code];
    return status;
  }

  /** Of `x-amzn-query-error`. Every one of them is the caller's. */
  get queryError(): string {
    return `${kinds[this.code].queryCode};Sender`;
  }

  toJSON(): { __type: string; message: string } {
    return { __type: kinds[this.code].type, message: this.message };
  }
}

export function invalidParameter(value: unknown, name: string, reason: string): SqsError {
  return new SqsError("InvalidParameterValue", `Value ${value} for parameter ${name} is invalid. Reason: ${reason}`);
}
