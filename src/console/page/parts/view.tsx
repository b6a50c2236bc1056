/** Why an answer did not come, in the API's own words. */

import type { ApiProblem } from "../api.ts";

export function Problem({ problem, again }: { problem: ApiProblem; again?: () => void }) {
  return (
    <div class="problem" role="alert">
      <p>
        <b>{problem.status === 0 ? "No answer" : `${problem.status} ${problem.code}`}</b> {problem.message}
      </p>
      {problem.errors.length > 0 && (
        <ul>
          {problem.errors.map(({ pointer, detail }) => (
            <li key={pointer}>
              <code>{pointer || "/"}</code> {detail}
            </li>
          ))}
        </ul>
      )}
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}
