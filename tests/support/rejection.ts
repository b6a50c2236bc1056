/**
 * What a promise rejects with. `expect(promise).rejects` holds the event loop while it waits, and messages of other
 * threads do not arrive then (Bun 1.4.5).
 */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const given = await promise.then(
    (value) => ({ value }),
    (reason: unknown) => ({ reason }),
  );
  if ("value" in given) throw new Error(`it did not reject, it gave ${JSON.stringify(given.value)}`);
  return given.reason;
}
