/** Milliseconds of the system's monotonic clock, which is the same in all processes. */
export const sharedClockMs = (): number => Number(process.hrtime.bigint()) / 1e6;
