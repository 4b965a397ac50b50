/**
 * Version of ONNX Runtime's C API that is requested.
 *
 * `OrtGetApiBase()` returns a table of two functions; its first, `GetApi(version)`, returns the function table `OrtApi`. New
 * functions are only appended to that table, and a library supports its own version and all earlier ones. The slot of a
 * published function therefore never changes, and a supported version guarantees all its slots. Slots count from 0 in the
 * order of `struct OrtApi` in onnxruntime_c_api.h; all slots below exist since version 9 or earlier.
 */
export const API_VERSION = 17;

/** Number of slots of `OrtApi` that are read. */
export const API_SLOTS = 178;

/**
 * Slot in `OrtApi` and C declaration of each function. Functions return a status, null for success, and write their result to
 * `out`. Handles and arrays are all `void *`: typed arrays are passed in place, handles as addresses.
 */
export const API_TABLE = {
  getErrorMessage: [2, 'const char *GetErrorMessage(void *status)'],
  createEnv: [3, 'void *CreateEnv(int level, const void *id, void *out)'],
  disableTelemetryEvents: [6, 'void *DisableTelemetryEvents(void *env)'],
  createSession: [7, 'void *CreateSession(void *env, const void *path, void *options, void *out)'],
  createSessionFromArray: [
    8,
    'void *CreateSessionFromArray(void *env, const void *model, size_t length, void *options, void *out)',
  ],
  run: [
    9,
    'void *Run(void *session, void *options, void *inputNames, void *inputs, size_t inputCount, void *outputNames, size_t outputCount, void *outputs)',
  ],
  createSessionOptions: [10, 'void *CreateSessionOptions(void *out)'],
  setOptimizedModelFilePath: [11, 'void *SetOptimizedModelFilePath(void *options, const void *path)'],
  enableProfiling: [14, 'void *EnableProfiling(void *options, const void *prefix)'],
  disableMemPattern: [17, 'void *DisableMemPattern(void *options)'],
  setSessionLogSeverityLevel: [22, 'void *SetSessionLogSeverityLevel(void *options, int level)'],
  setSessionGraphOptimizationLevel: [23, 'void *SetSessionGraphOptimizationLevel(void *options, int level)'],
  setIntraOpNumThreads: [24, 'void *SetIntraOpNumThreads(void *options, int threads)'],
  sessionGetInputCount: [30, 'void *SessionGetInputCount(void *session, void *out)'],
  sessionGetInputName: [36, 'void *SessionGetInputName(void *session, size_t index, void *allocator, void *out)'],
  createTensorWithDataAsOrtValue: [
    49,
    'void *CreateTensorWithDataAsOrtValue(void *info, void *data, size_t bytes, void *shape, size_t rank, int type, void *out)',
  ],
  getTensorMutableData: [51, 'void *GetTensorMutableData(void *value, void *out)'],
  getDimensionsCount: [61, 'void *GetDimensionsCount(void *info, void *out)'],
  getDimensions: [62, 'void *GetDimensions(void *info, void *values, size_t count)'],
  getTensorTypeAndShape: [65, 'void *GetTensorTypeAndShape(void *value, void *out)'],
  createCpuMemoryInfo: [69, 'void *CreateCpuMemoryInfo(int allocatorType, int memoryType, void *out)'],
  allocatorFree: [76, 'void *AllocatorFree(void *allocator, void *pointer)'],
  getAllocatorWithDefaultOptions: [78, 'void *GetAllocatorWithDefaultOptions(void *out)'],
  releaseStatus: [93, 'void ReleaseStatus(void *status)'],
  releaseMemoryInfo: [94, 'void ReleaseMemoryInfo(void *info)'],
  releaseSession: [95, 'void ReleaseSession(void *session)'],
  releaseValue: [96, 'void ReleaseValue(void *value)'],
  releaseTensorTypeAndShapeInfo: [99, 'void ReleaseTensorTypeAndShapeInfo(void *info)'],
  releaseSessionOptions: [100, 'void ReleaseSessionOptions(void *options)'],
  sessionEndProfiling: [110, 'void *SessionEndProfiling(void *session, void *allocator, void *out)'],
  addSessionConfigEntry: [130, 'void *AddSessionConfigEntry(void *options, const char *key, const char *value)'],
  createAndRegisterAllocator: [144, 'void *CreateAndRegisterAllocator(void *env, void *info, void *configuration)'],
  unregisterAllocator: [177, 'void *UnregisterAllocator(void *env, void *info)'],
} as const satisfies Record<string, readonly [slot: number, declaration: string]>;

/** Name of a function of the C API. */
export type ApiFunction = keyof typeof API_TABLE;
