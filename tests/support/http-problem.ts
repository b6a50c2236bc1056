/** Refusals of the HTTP API (RFC 9457), as a caller reads them. */

export interface HttpProblem {
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: { pointer: string; detail: string }[];
}

/** The problem that an answer is; throws when it is none, or does not say the status it came with. */
export async function problemOf(answer: Response): Promise<HttpProblem> {
  const type = answer.headers.get("content-type");
  if (type !== "application/problem+json") throw new Error(`no problem, but ${answer.status} ${await answer.text()}`);
  const { title, status, detail, code, errors }: HttpProblem = await answer.json();
  if (status !== answer.status) throw new Error(`a problem of status ${status} came with ${answer.status}`);
  return { title, status, detail, code, ...(errors && { errors }) };
}
