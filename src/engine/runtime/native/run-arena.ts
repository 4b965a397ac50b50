import type { Address, OrtLibrary } from './library.ts';

/** `OrtArenaAllocator` of the C API. */
const ARENA_ALLOCATOR = 1;
/** `OrtMemTypeDefault` of the C API. */
const DEFAULT_MEMORY_TYPE = 0;

/** Setting of a session that takes memory from the arena. */
export const USES_RUN_ARENA = 'session.use_env_allocators';

/** Number of sessions of this thread. */
let sessions = 0;

/**
 * Makes sure that there is an arena from which the runs of all sessions take the memory of their intermediate values. With an
 * arena for each session, ONNX Runtime's default, a detection holds the memory of the largest run of the backbone and that of
 * the transformer, although one runs after the other.
 */
export const acquireRunArena = (library: OrtLibrary, env: Address): void => {
  sessions++;
  attempt(library, (info) => library.call('createAndRegisterAllocator', env, info, null));
};

/** Frees the arena with the last session of this thread; sessions of other threads keep it alive as long as they exist. */
export const releaseRunArena = (library: OrtLibrary, env: Address): void => {
  if (--sessions === 0) attempt(library, (info) => library.call('unregisterAllocator', env, info));
};

/** Fails where another thread has registered the arena of the process before, or has removed it. Sessions work with and without. */
const attempt = (library: OrtLibrary, action: (memoryInfo: Address) => void): void => {
  const info = library.make('createCpuMemoryInfo', ARENA_ALLOCATOR, DEFAULT_MEMORY_TYPE);
  try {
    action(info);
  } catch {
    // See above.
  } finally {
    library.release('releaseMemoryInfo', info);
  }
};
