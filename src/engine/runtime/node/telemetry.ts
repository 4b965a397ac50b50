import { isMainThread } from 'node:worker_threads';

/** Environment variable that ONNX Runtime's library reads when its environment is created. */
const TELEMETRY_SETTING = 'ORT_DISABLE_TELEMETRY';

/**
 * Keeps ONNX Runtime's library from reporting its use to its authors: the builds of 1.30 for Linux and macOS collect
 * events in a database in the home folder and upload them. Must be called before the library creates its environment. A
 * setting of the user stays. Has no effect in worker threads, whose `process.env` is a copy: there the main thread must have called it.
 */
export const disableTelemetry = (): void => {
  if (isMainThread) process.env[TELEMETRY_SETTING] ??= '1';
};
