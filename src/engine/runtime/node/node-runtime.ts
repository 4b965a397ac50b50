import type * as Ort from 'onnxruntime-node';
import { MdetrError, messageOf } from '../../../errors.ts';
import { packageRequire } from '../../../files/package-folder.ts';
import type { DType, HostTensor } from '../../graph/dtype.ts';
import type { NamedTensors, Program, ProgramInput } from '../../graph/program.ts';
import { HostValue, hostOf } from '../host-value.ts';
import {
  checkFeeds,
  type DeviceTensor,
  type LoadOptions,
  type Runtime,
  type Session,
  type Values,
} from '../runtime.ts';
import { checkCommandLine } from './command-line.ts';
import { loadProgram } from './load-program.ts';
import { ProgramCache } from './program-cache.ts';

/** Options of `NodeRuntime`. */
export interface NodeRuntimeOptions {
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
  constructor(options: NodeRuntimeOptions = {}) {
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
    };
  }

  load<Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
    options?: LoadOptions,
  ): Promise<Session<Inputs, Outputs>>;
  load(program: Program, options: LoadOptions = {}): Promise<Session> {
    return loadProgram(program, options, this.cache, this, (...model) => this.create(...model));
  }

  private async create(
    program: Program,
    model: Uint8Array | string,
    inputs: readonly ProgramInput[],
  ): Promise<Session> {
    const { InferenceSession } = binding();
    try {
      const session = await (typeof model === 'string'
        ? InferenceSession.create(model, this.sessionOptions)
        : InferenceSession.create(model, this.sessionOptions));
      return new NodeSession(program, session, inputs);
    } catch (error) {
      throw new MdetrError(`cannot load program "${program.name}" on device "${this.device}": ${messageOf(error)}`, {
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

const fromOrt = (tensor: Ort.Tensor): HostTensor =>
  ({ dtype: tensor.type as DType, shape: tensor.dims, data: tensor.data }) as HostTensor;

class NodeSession implements Session {
  private session: Ort.InferenceSession | undefined;

  constructor(
    readonly program: Program,
    session: Ort.InferenceSession,
    private readonly inputs: readonly ProgramInput[],
  ) {
    this.session = session;
  }

  async run(feeds: Values): Promise<Record<string, HostTensor>> {
    if (this.session === undefined) throw new MdetrError(`program "${this.program.name}" was disposed`);
    checkFeeds(this.program, feeds, this.inputs);
    // Inputs that only carry shapes may have been optimized away; the session rejects them.
    const given = Object.fromEntries(this.session.inputNames.map((name) => [name, toOrt(hostOf(name, feeds[name]!))]));
    const results = await this.session.run(given);
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrt(value)]));
  }

  /** The binding copies every output to the host, so the values are host values. */
  async compute(feeds: Values): Promise<Record<string, DeviceTensor>> {
    const results = await this.run(feeds);
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, new HostValue(value)]));
  }

  async dispose(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    await session?.release();
  }
}
