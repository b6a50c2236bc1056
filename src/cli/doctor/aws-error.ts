/** What a call to AWS that failed is about, and what to do. */

import { type Finding, failed } from "./finding.ts";

/** `endpointVariable` says where the service is looked for. */
export function awsFailed(check: string, error: Error | undefined, endpointVariable: string): Finding {
  return failed(check, inWords(error), mendOf(error, endpointVariable));
}

/** AWS says in the name of an error what it is about, others do not. */
function inWords(error: Error | undefined): string {
  const { name = "", message = "it does not answer" } = error ?? {};
  return /^(Type)?Error$/.test(name) ? message : `${name}: ${message}`;
}

function mendOf(error: Error | undefined, endpointVariable: string): string {
  const name = error?.name ?? "";
  if (/credential|token/i.test(name))
    return "set AWS credentials: AWS_ACCESS_KEY_ID and its like, a profile, or a role";
  if (/AccessDenied|NotAuthorized|Forbidden/i.test(name)) {
    return "allow this role's actions there: docs/operations.md lists them";
  }
  return `is it there? AWS_REGION and ${endpointVariable} say where it is looked for`;
}
