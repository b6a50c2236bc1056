/** What a command's end says to a script. 70 is EX_SOFTWARE of sysexits.h: whoever watches the process starts another. */
export const exitCodes = { done: 0, failed: 1, usage: 2, internal: 70 } as const;
