import type * as Ort from 'onnxruntime-node';
import { MdetrError, messageOf } from '../../../errors.ts';
import { packageRequire } from '../../../files/package-folder.ts';
import type { HostTensor } from '../../graph/dtype.ts';
import type { NamedTensors, Program, ProgramInput } from '../../graph/program.ts';
import type { LoadOptions, Runtime, Session } from '../runtime.ts';
import { slowOnCpuExtra } from '../slow-optimizers.ts';
import { checkCommandLine } from './command-line.ts';
import { OrtSession } from '../web/ort-session.ts';
import { loadProgram } from './load-program.ts';
import type { PlacementOptions } from '../placement.ts';
import { deviceHint } from './device-hint.ts';
import { disableTelemetry } from './telemetry.ts';
import { PlacedSession } from './placed-session.ts';
import { ProgramCache } from './program-cache.ts';

/** Options of `NodeRuntime`. */
export interface NodeRuntimeOptions extends PlacementOptions {
  /** `cpu` (default), or `webgpu`, `cuda`, `coreml`, `dml` if the system and ONNX Runtime support it. */
  readonly device?: string | undefined;
  /** Threads of one run. Default: ONNX Runtime's choice, one per physical core. */
  readonly threads?: number | undefined;
  /** Cache of compiled programs. Default: the folder of `MDETR_CACHE`. */
  readonly cache?: ProgramCache | undefined;
}

/**
 * The binding. Loaded when it is needed: npm drops the package where its install script fails, and a static import would
 * then break every bundle that contains this module.
 */
const binding = (): typeof Ort => {
  disableTelemetry();
  try {
    return packageRequire('onnxruntime-node') as typeof Ort;
  } catch (error) {
    throw new MdetrError(`onnxruntime-node cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
};

/** Runs programs with ONNX Runtime's Node binding (`onnxruntime-node`). */
export class NodeRuntime implements Runtime {
  readonly device: string;
  private readonly sessionOptions: Ort.InferenceSession.SessionOptions;
  private readonly cache: ProgramCache;

  /** @throws {MdetrError} for a device that this build of ONNX Runtime lacks: it would silently use the CPU */
  constructor(private readonly options: NodeRuntimeOptions = {}) {
    checkCommandLine('node');
    this.device = options.device ?? 'cpu';
    const devices = binding()
      .listSupportedBackends()
      .map(({ name }) => name);
    if (!devices.includes(this.device))
      throw new MdetrError(`there is no device "${this.device}" here; there are: ${devices.join(', ')}`);
    this.cache = options.cache ?? new ProgramCache();
    this.sessionOptions = {
      executionProviders: this.device === 'cpu' ? ['cpu'] : [this.device, 'cpu'],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      intraOpNumThreads: options.threads ?? 0,
      extra: this.device === 'cpu' ? slowOnCpuExtra() : {},
    };
  }

  load<Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
    options?: LoadOptions,
  ): Promise<Session<Inputs, Outputs>>;
  load(program: Program, options: LoadOptions = {}): Promise<Session> {
    return loadProgram(program, options, this.cache, this, (...model) => this.create(options, ...model));
  }

  private async create(
    { deviceOutputs = [], onCreating }: LoadOptions,
    program: Program,
    model: Uint8Array | string,
    inputs: readonly ProgramInput[],
  ): Promise<Session> {
    const { InferenceSession } = binding();
    const staying = deviceOutputs.filter((name) => program.outputs[name]?.dtype === 'float32');
    const locations =
      this.device === 'webgpu' && staying.length > 0
        ? { preferredOutputLocation: Object.fromEntries(staying.map((name) => [name, 'gpu-buffer' as const])) }
        : {};
    const sessionWith = (more: Ort.InferenceSession.SessionOptions): Promise<Ort.InferenceSession> => {
      const options = { ...this.sessionOptions, ...locations, ...more };
      return typeof model === 'string'
        ? InferenceSession.create(model, options)
        : InferenceSession.create(model, options);
    };
    const { device, options } = this;
    const isWatched = device !== 'cpu' && (options.strictDevice === true || options.onPlacement !== undefined);
    try {
      if (isWatched) return await PlacedSession.create(program, inputs, toOrt, device, options, sessionWith);
      const created = sessionWith({});
      onCreating?.();
      return new OrtSession(program, await created, inputs, toOrt);
    } catch (error) {
      const message = deviceHint(device, messageOf(error)) ?? messageOf(error);
      throw new MdetrError(`cannot load program "${program.name}" on device "${device}": ${message}`, {
        cause: error,
      });
    }
  }
}

const toOrt = ({ dtype, data, shape }: HostTensor): Ort.Tensor => {
  // The binding rejects shared memory with "Invalid argument".
  const own = data.buffer instanceof SharedArrayBuffer ? data.slice() : data;
  return new (binding().Tensor)(dtype, own as Float32Array, shape);
};
