/** `@bufbuild/protobuf` in the copy that task-path.ts runs: the same, but what reads or writes a message reports it. */

import * as protobuf from "@bufbuild/protobuf";
import { counted } from "./task-path-probe.ts";

export * from "@bufbuild/protobuf";

type Call = (...input: unknown[]) => unknown;

const { stringify } = JSON;
const ofBytes = (bytes: unknown): string => Buffer.from(bytes as Uint8Array).toString("latin1");
const ofJson = (value: unknown): string => stringify(value) ?? "";

// The signatures are generic; the copy is not compiled, so a plain one does.
export const fromBinary = counted("fromBinary", protobuf.fromBinary as Call, ([, bytes]) => ofBytes(bytes));
export const toBinary = counted("toBinary", protobuf.toBinary as Call, (_, bytes) => ofBytes(bytes));
export const fromJson = counted("fromJson", protobuf.fromJson as Call, ([, json]) => ofJson(json));
export const toJson = counted("toJson", protobuf.toJson as Call, (_, json) => ofJson(json));
export const fromJsonString = counted("fromJsonString", protobuf.fromJsonString as Call, ([, text]) => String(text));
export const toJsonString = counted("toJsonString", protobuf.toJsonString as Call, (_, text) => String(text));
