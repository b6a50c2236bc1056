/**
 * Server reflection: what grpcurl and its like ask to find out which services and messages there are
 * (github.com/grpc/grpc, doc/server-reflection.md). The older `v1alpha` has the same messages under another name.
 */

import {
  create,
  createRegistry,
  type DescFile,
  fromBinary,
  type MessageInitShape,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type ServerDuplexStream, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { file_grpc_health_v1_health, Health } from "../../gen/grpc/health/v1/health_pb.ts";
import {
  file_grpc_reflection_v1_reflection,
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { file_tasks } from "../../gen/tasks_pb.ts";
import { createAdmission } from "../../limits/concurrency.ts";
import { TaskError } from "../../words/errors.ts";
import { serviceName } from "../methods.ts";
import { definitionOf, refuseStream } from "./wire.ts";

/** Streams of those who ask; each is short. */
const maxStreams = 256;
/** Requests of one stream; a client that lists everything needs a few. */
const maxQuestions = 1000;

const ownFiles = [file_tasks, file_grpc_health_v1_health, file_grpc_reflection_v1_reflection];
const services = [serviceName, Health.typeName, ServerReflection.typeName];

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** Everything that is described here. */
interface Described {
  files: ReadonlyMap<string, DescFile>;
  registry: Registry;
}

export function createReflectionServices() {
  const all = withImports(ownFiles);
  const described = {
    files: new Map(all.map((file) => [file.proto.name, file])),
    registry: createRegistry(...all),
  };
  const admit = createAdmission(maxStreams, "streams of reflection");

  const info = (call: ServerDuplexStream<Uint8Array, Uint8Array>): void => {
    admit(() => answerAll(call, described)).then(
      () => call.end(),
      (error) => refuseStream(call, error),
    );
  };

  const implementation: UntypedServiceImplementation = { ServerReflectionInfo: info };
  const names = [ServerReflection.typeName, ServerReflection.typeName.replace(".v1.", ".v1alpha.")];
  return names.map((name) => ({ definition: definitionOf(ServerReflection, name), implementation }));
}

/** With those that they import, each once. */
function withImports(named: readonly DescFile[]): DescFile[] {
  const all = new Set<DescFile>();
  const add = (file: DescFile): void => {
    for (const dependency of file.dependencies) add(dependency);
    all.add(file);
  };
  for (const file of named) add(file);
  return [...all];
}

/** Until there are no more questions, or the caller has left. */
function answerAll(call: ServerDuplexStream<Uint8Array, Uint8Array>, described: Described): Promise<void> {
  let questions = 0;
  return new Promise((resolve, reject) => {
    call.on("end", resolve);
    call.on("cancelled", resolve);
    call.on("data", (bytes: Uint8Array) => {
      questions += 1;
      try {
        if (questions > maxQuestions) throw new TaskError("resource_exhausted", "there are too many questions");
        call.write(answerOf(described, bytes));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function answerOf(described: Described, bytes: Uint8Array): Uint8Array {
  const request = readRequest(bytes);
  const response = create(ServerReflectionResponseSchema, {
    validHost: request.host,
    originalRequest: request,
    messageResponse: lookUp(described, request),
  });
  return toBinary(ServerReflectionResponseSchema, response);
}

function readRequest(bytes: Uint8Array): ServerReflectionRequest {
  try {
    return fromBinary(ServerReflectionRequestSchema, bytes);
  } catch (cause) {
    throw new TaskError("invalid_argument", "the message cannot be read", { cause });
  }
}

function lookUp({ files, registry }: Described, { messageRequest }: ServerReflectionRequest): Answer {
  switch (messageRequest.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
    case "fileByFilename":
      return toFileAnswer(files.get(messageRequest.value));
    case "fileContainingSymbol":
      return toFileAnswer(fileOf(registry, messageRequest.value));
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
      return toFailure(status.NOT_FOUND, "there are no extensions");
    default:
      return toFailure(status.INVALID_ARGUMENT, "the question is not known");
  }
}

/** Of a type or a service, or of a method, field or value, which stand below one. */
function fileOf(registry: Registry, symbol: string): DescFile | undefined {
  return (registry.get(symbol) ?? registry.get(symbol.replace(/\.[^.]+$/, "")))?.file;
}

function toFileAnswer(file: DescFile | undefined): Answer {
  if (!file) return toFailure(status.NOT_FOUND, "there is no such file or symbol");
  const fileDescriptorProto = [toBinary(FileDescriptorProtoSchema, file.proto)];
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function toFailure(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
