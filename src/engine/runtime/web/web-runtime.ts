import type * as Ort from 'onnxruntime-web';
import { MdetrError, messageOf } from '../../../errors.ts';
import type { DType, HostTensor } from '../../graph/dtype.ts';
import { leafName, type NamedTensors, type Program, type ProgramInput } from '../../graph/program.ts';
import { emitModel } from '../../onnx/index.ts';
import { HostValue, hostOf } from '../host-value.ts';
import {
  checkFeeds,
  type DeviceTensor,
  type LoadOptions,
  type Runtime,
  type Session,
  type Values,
  type WeightSource,
} from '../runtime.ts';

/** The parts of ONNX Runtime Web that this runtime calls: the module itself, however it was loaded. */
export type OrtWeb = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>;

/** A compiled program: the ONNX file, and the file of its weights if it has one. */
export interface CompiledProgram {
  readonly model: Uint8Array;
  readonly weights?: { readonly path: string; readonly data: Uint8Array };
}

/** Combines a program with its weights. How compiled programs are cached is up to the platform. */
export type CompileWithWeights = (
  program: Program,
  weights: WeightSource,
  runtime: Runtime,
) => Promise<CompiledProgram>;

/** Options of {@link WebRuntime}. */
export interface WebRuntimeOptions {
  /** `wasm` or `webgpu`. */
  readonly device: string;
  readonly compile: CompileWithWeights;
}

/** Runs programs with ONNX Runtime Web: WebAssembly everywhere, WebGPU in browsers that have it. */
export class WebRuntime implements Runtime {
  readonly device: string;

  constructor(
    private readonly ort: OrtWeb,
    private readonly options: WebRuntimeOptions,
  ) {
    this.device = options.device;
  }

  /** @throws {MdetrError} if ONNX Runtime rejects the program on this device */
  load<Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
    options?: LoadOptions,
  ): Promise<Session<Inputs, Outputs>>;
  async load(program: Program, { weights }: LoadOptions = {}): Promise<Session> {
    if (weights !== undefined)
      return this.create(program, await this.options.compile(program, weights, this), program.inputs);
    const parameters = program.parameters.map((tensor) => ({ name: leafName(tensor), tensor }));
    return this.create(program, { model: emitModel(program) }, [...program.inputs, ...parameters]);
  }

  private async create(
    program: Program,
    { model, weights }: CompiledProgram,
    inputs: readonly ProgramInput[],
  ): Promise<Session> {
    try {
      const session = await this.ort.InferenceSession.create(model, {
        executionProviders: this.device === 'wasm' ? ['wasm'] : [this.device, 'wasm'],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        externalData: weights === undefined ? [] : [weights],
      });
      return new WebSession(this.ort, program, session, inputs);
    } catch (error) {
      throw new MdetrError(`cannot load program "${program.name}" on device "${this.device}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

class WebSession implements Session {
  private session: Ort.InferenceSession | undefined;
  /** ONNX Runtime Web refuses a second run of a session while one is in progress, so runs queue. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly ort: OrtWeb,
    readonly program: Program,
    session: Ort.InferenceSession,
    private readonly inputs: readonly ProgramInput[],
  ) {
    this.session = session;
  }

  async run(feeds: Values): Promise<Record<string, HostTensor>> {
    const { session } = this;
    if (session === undefined) throw new MdetrError(`program "${this.program.name}" was disposed`);
    checkFeeds(this.program, feeds, this.inputs);
    // Inputs that only carry shapes may have been optimized away; the session rejects them.
    const given = Object.fromEntries(session.inputNames.map((name) => [name, this.toOrt(hostOf(name, feeds[name]!))]));
    const run = this.last.then(() => session.run(given));
    this.last = run.catch(() => undefined);
    const results = await run;
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrt(value)]));
  }

  /** WebAssembly copies every output to the host, so the values are host values. */
  async compute(feeds: Values): Promise<Record<string, DeviceTensor>> {
    const results = await this.run(feeds);
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, new HostValue(value)]));
  }

  async dispose(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    await this.last;
    await session?.release();
  }

  private toOrt({ dtype, data, shape }: HostTensor): Ort.Tensor {
    return new this.ort.Tensor(dtype, data as Float32Array, shape);
  }
}

const fromOrt = (tensor: Ort.Tensor): HostTensor =>
  ({ dtype: tensor.type as DType, shape: tensor.dims, data: tensor.data }) as HostTensor;
