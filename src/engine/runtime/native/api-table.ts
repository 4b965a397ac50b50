/**
 * ONNX Runtime's C interface, as far as it is used here.
 *
 * `OrtGetApiBase()` yields a table of two functions; its first, `GetApi(version)`, yields the table `OrtApi`. New functions
 * are only ever added at that table's end, and a library answers for its own version and all before it: so a function's
 * place is fixed once it was published, and a version that the library agrees to guarantees all places that it has.
 * Places count from 0 in the order of `struct OrtApi` in onnxruntime_c_api.h; those below exist since version 6 or longer.
 */
export const apiVersion = 17;

/** How many places of the table are read. */
export const apiPlaces = 131;

/**
 * Place in `OrtApi`, and the C declaration. `Status` is null where all went well; results are written to `out`.
 * Handles and arrays are all `void *`: typed arrays are handed over in place, handles as addresses.
 */
export const apiTable = {
  getErrorMessage: [2, 'const char *GetErrorMessage(void *status)'],
  createEnv: [3, 'void *CreateEnv(int level, const char *id, void *out)'],
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
} as const satisfies Record<string, readonly [place: number, declaration: string]>;

export type ApiFunction = keyof typeof apiTable;
