export async function runDemo(_flags: unknown, _once: boolean): Promise<number> {
  return 1;
}
