import { MdetrError, messageOf } from '../errors.ts';
import type { WebDevice } from './load-options.ts';

/** Device and threads of a model, and the reasons why faster ones were not available. */
export interface DeviceChoice {
  readonly device: 'webgpu' | 'wasm';
  /** Threads of WebAssembly. */
  readonly threads: number;
  /** Sentences about what was not available, for people; empty if nothing was missing. */
  readonly reason: string;
}

/** Maximum number of threads by default: beyond this a run gains little, and the page needs some itself. */
const MAX_DEFAULT_THREADS = 4;

/** Parts of WebGPU that the choice needs; TypeScript's DOM library does not have them. */
interface Gpu {
  requestAdapter(): Promise<{ isFallbackAdapter?: boolean; info?: { isFallbackAdapter?: boolean } } | null>;
}

/**
 * Chooses where a model runs.
 *
 * @throws {MdetrError} if WebGPU is asked for and cannot be used
 */
export const chooseDevice = async (wanted: WebDevice, threads: number | undefined): Promise<DeviceChoice> => {
  const reasons: string[] = [];
  const count = threadsOf(threads, reasons);
  if (wanted === 'wasm' || wanted === 'cpu') return { device: 'wasm', threads: count, reason: reasons.join(' ') };
  const problem = await webgpuProblem(wanted === 'webgpu');
  if (problem === undefined) return { device: 'webgpu', threads: count, reason: reasons.join(' ') };
  if (wanted === 'webgpu') throw new MdetrError(`device "webgpu" cannot be used: ${problem}`);
  return { device: 'wasm', threads: count, reason: [`No WebGPU: ${problem}.`, ...reasons].join(' ') };
};

const threadsOf = (wanted: number | undefined, reasons: string[]): number => {
  if (!globalThis.crossOriginIsolated) {
    reasons.push(
      'One thread: the page is not cross-origin isolated (send Cross-Origin-Opener-Policy: same-origin and ' +
        'Cross-Origin-Embedder-Policy: require-corp).',
    );
    return 1;
  }
  const cores = navigator.hardwareConcurrency;
  if (cores < 2) reasons.push('One thread: the machine has one core.');
  else if (wanted !== undefined && wanted > cores)
    reasons.push(`${cores} instead of ${wanted} threads: the machine has ${cores} cores.`);
  if (wanted !== undefined) return Math.min(wanted, cores);
  return cores <= 2 ? cores : Math.min(MAX_DEFAULT_THREADS, Math.ceil(cores / 2));
};

/** Why WebGPU cannot be used; undefined if it can. */
const webgpuProblem = async (isSoftwareAllowed: boolean): Promise<string | undefined> => {
  const gpu = (navigator as { gpu?: Gpu }).gpu;
  if (gpu === undefined) return 'this browser or page does not have it';
  if (!('Suspending' in WebAssembly)) return 'this browser lacks JavaScript Promise Integration, which it needs';
  try {
    const adapter = await gpu.requestAdapter();
    if (adapter === null) return 'there is no adapter';
    const isSoftware = adapter.isFallbackAdapter ?? adapter.info?.isFallbackAdapter ?? false;
    return isSoftware && !isSoftwareAllowed ? 'the only adapter is a software one, which is slower' : undefined;
  } catch (error) {
    return `the adapter cannot be opened (${messageOf(error)})`;
  }
};
