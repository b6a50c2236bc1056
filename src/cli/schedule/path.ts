/** Where schedules are in the HTTP API. */

export const schedulesPath = "/schedules";

export function schedulePath(id: string): string {
  return `${schedulesPath}/${encodeURIComponent(id)}`;
}
