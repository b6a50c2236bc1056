/** The methods of the task service, whatever protocol carries them: their names, their messages in protobuf's JSON form. */

import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  type CancelTaskRequestJson,
  type CancelTaskResponseJson,
  type ControlRedriveRequestJson,
  type ControlRedriveResponseJson,
  type CreateScheduleRequestJson,
  type CreateScheduleResponseJson,
  type CreateTaskRequestJson,
  type CreateTaskResponseJson,
  type CreateTasksRequestJson,
  type CreateTasksResponseJson,
  type DeleteScheduleRequestJson,
  type DeleteScheduleResponseJson,
  type DiscardDeadLetterRequestJson,
  type DiscardDeadLetterResponseJson,
  type GetRedriveRequestJson,
  type GetRedriveResponseJson,
  type GetScheduleRequestJson,
  type GetScheduleResponseJson,
  type GetTaskRequestJson,
  type GetTaskResponseJson,
  type GetTimelineRequestJson,
  type GetTimelineResponseJson,
  type ListDeadLetterGroupsRequestJson,
  type ListDeadLetterGroupsResponseJson,
  type ListDeadLettersRequestJson,
  type ListDeadLettersResponseJson,
  type ListSchedulesRequestJson,
  type ListSchedulesResponseJson,
  type ListTasksRequestJson,
  type ListTasksResponseJson,
  type ListTaskTypesRequestJson,
  type ListTaskTypesResponseJson,
  type ListUnreadableRequestJson,
  type ListUnreadableResponseJson,
  type RedriveDeadLettersRequestJson,
  type RedriveDeadLettersResponseJson,
  TaskService,
  type TriggerScheduleRequestJson,
  type TriggerScheduleResponseJson,
  type UpdateScheduleRequestJson,
  type UpdateScheduleResponseJson,
  type WatchTaskRequestJson,
  type WatchTaskResponseJson,
} from "../gen/tasks_pb.ts";
import { TaskError } from "../words/errors.ts";

export const serviceName = TaskService.typeName;

/** Requests and responses in protobuf's JSON form. */
export interface RpcMethods {
  CreateTask: { request: CreateTaskRequestJson; response: CreateTaskResponseJson };
  CreateTasks: { request: CreateTasksRequestJson; response: CreateTasksResponseJson };
  GetTask: { request: GetTaskRequestJson; response: GetTaskResponseJson };
  GetTimeline: { request: GetTimelineRequestJson; response: GetTimelineResponseJson };
  WatchTask: { request: WatchTaskRequestJson; response: WatchTaskResponseJson };
  ListTasks: { request: ListTasksRequestJson; response: ListTasksResponseJson };
  ListTaskTypes: { request: ListTaskTypesRequestJson; response: ListTaskTypesResponseJson };
  CancelTask: { request: CancelTaskRequestJson; response: CancelTaskResponseJson };
  ListDeadLetters: { request: ListDeadLettersRequestJson; response: ListDeadLettersResponseJson };
  ListDeadLetterGroups: { request: ListDeadLetterGroupsRequestJson; response: ListDeadLetterGroupsResponseJson };
  ListUnreadable: { request: ListUnreadableRequestJson; response: ListUnreadableResponseJson };
  RedriveDeadLetters: { request: RedriveDeadLettersRequestJson; response: RedriveDeadLettersResponseJson };
  GetRedrive: { request: GetRedriveRequestJson; response: GetRedriveResponseJson };
  ControlRedrive: { request: ControlRedriveRequestJson; response: ControlRedriveResponseJson };
  DiscardDeadLetter: { request: DiscardDeadLetterRequestJson; response: DiscardDeadLetterResponseJson };
  CreateSchedule: { request: CreateScheduleRequestJson; response: CreateScheduleResponseJson };
  GetSchedule: { request: GetScheduleRequestJson; response: GetScheduleResponseJson };
  ListSchedules: { request: ListSchedulesRequestJson; response: ListSchedulesResponseJson };
  UpdateSchedule: { request: UpdateScheduleRequestJson; response: UpdateScheduleResponseJson };
  TriggerSchedule: { request: TriggerScheduleRequestJson; response: TriggerScheduleResponseJson };
  DeleteSchedule: { request: DeleteScheduleRequestJson; response: DeleteScheduleResponseJson };
}

export type RpcMethod = keyof RpcMethods;

function schemasOf({ input, output }: DescMethod): { request: DescMessage; response: DescMessage } {
  return { request: input, response: output };
}

export const rpcSchemas: Record<RpcMethod, { request: DescMessage; response: DescMessage }> = {
  CreateTask: schemasOf(TaskService.method.createTask),
  CreateTasks: schemasOf(TaskService.method.createTasks),
  GetTask: schemasOf(TaskService.method.getTask),
  GetTimeline: schemasOf(TaskService.method.getTimeline),
  WatchTask: schemasOf(TaskService.method.watchTask),
  ListTasks: schemasOf(TaskService.method.listTasks),
  ListTaskTypes: schemasOf(TaskService.method.listTaskTypes),
  CancelTask: schemasOf(TaskService.method.cancelTask),
  ListDeadLetters: schemasOf(TaskService.method.listDeadLetters),
  ListDeadLetterGroups: schemasOf(TaskService.method.listDeadLetterGroups),
  ListUnreadable: schemasOf(TaskService.method.listUnreadable),
  RedriveDeadLetters: schemasOf(TaskService.method.redriveDeadLetters),
  GetRedrive: schemasOf(TaskService.method.getRedrive),
  ControlRedrive: schemasOf(TaskService.method.controlRedrive),
  DiscardDeadLetter: schemasOf(TaskService.method.discardDeadLetter),
  CreateSchedule: schemasOf(TaskService.method.createSchedule),
  GetSchedule: schemasOf(TaskService.method.getSchedule),
  ListSchedules: schemasOf(TaskService.method.listSchedules),
  UpdateSchedule: schemasOf(TaskService.method.updateSchedule),
  TriggerSchedule: schemasOf(TaskService.method.triggerSchedule),
  DeleteSchedule: schemasOf(TaskService.method.deleteSchedule),
};

/** `tasks.TaskService/CreateTask`: the path without its slash, the span's name and `rpc.method`. */
export function fullMethod(method: RpcMethod): string {
  return `${serviceName}/${method}`;
}

/** The method of that name of that service, if it is one of ours. */
export function methodNamed(service: string, method: string): RpcMethod | undefined {
  // Found among the keys.
  return service === serviceName && Object.hasOwn(rpcSchemas, method) ? (method as RpcMethod) : undefined;
}

/** Levels of a message in its JSON form: the 64 of an HTTP body, and what a request puts around it. */
export const maxMessageDepth = 80;
/** The same in protobuf's: a level of a payload is two messages there. Its own limit of 100 is below what HTTP takes. */
const recursionLimit = 2 * maxMessageDepth;

/** A binary message in protobuf's JSON form; throws `invalid_argument` when it cannot be read. */
export function fromBinaryMessage(schema: DescMessage, bytes: Uint8Array): JsonValue {
  try {
    return toJson(schema, fromBinary(schema, bytes, { recursionLimit }));
  } catch (cause) {
    throw new TaskError("invalid_argument", "the message cannot be read", { cause });
  }
}

export function toBinaryMessage(schema: DescMessage, json: JsonValue): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(toBinary(schema, fromJson(schema, json)));
}

/** Protobuf JSON with any of the spellings that protobuf allows, as the canonical one. */
export function canonical(schema: DescMessage, json: JsonValue): JsonValue {
  try {
    return toJson(schema, fromJson(schema, json));
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : "";
    throw new TaskError("invalid_argument", `the request message does not fit its schema${reason}`, { cause });
  }
}
