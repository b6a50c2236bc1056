/** Where dead letters and redrives are in the HTTP API. */

export const deadLettersPath = "/dead-letters";

export function deadLetterPath(id: string): string {
  return `${deadLettersPath}/${encodeURIComponent(id)}`;
}

export function redrivePath(id: string): string {
  return `${deadLettersPath}/redrives/${encodeURIComponent(id)}`;
}
