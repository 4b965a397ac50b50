import type * as Ort from 'onnxruntime-web';
import { MdetrError, messageOf } from '../../../errors.ts';
import { leafName, type NamedTensors, type Program, type ProgramInput } from '../../graph/program.ts';
import { emitModel } from '../../onnx/index.ts';
import type { CompiledProgram, LoadOptions, Runtime, Session, WeightSource, WeightStorage } from '../runtime.ts';
import { OrtSession } from './ort-session.ts';

/** The parts of ONNX Runtime Web that this runtime calls: the module itself, however it was loaded. */
export type OrtWeb = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>;

/** Combines a program with its weights. How compiled programs are cached is up to the platform. */
export type CompileWithWeights = (
  program: Program,
  weights: WeightSource,
  runtime: Runtime,
  storage: WeightStorage | undefined,
) => Promise<CompiledProgram>;

/** Options of {@link WebRuntime}. */
export interface WebRuntimeOptions {
  /** `wasm` or `webgpu`. */
  readonly device: string;
  readonly compile: CompileWithWeights;
  /** Reads an ONNX file and the file of its weights, where there is a file system. */
  readonly read?: (path: string) => Promise<CompiledProgram>;
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
  async load(program: Program, { weights, storage, compiled }: LoadOptions = {}): Promise<Session> {
    if (compiled !== undefined) return this.create(program, await this.contentsOf(compiled), program.inputs);
    if (weights !== undefined)
      return this.create(program, await this.options.compile(program, weights, this, storage), program.inputs);
    const parameters = program.parameters.map((tensor) => ({ name: leafName(tensor), tensor }));
    return this.create(program, { model: emitModel(program) }, [...program.inputs, ...parameters]);
  }

  private async contentsOf(compiled: string | CompiledProgram): Promise<CompiledProgram> {
    if (typeof compiled !== 'string') return compiled;
    if (this.options.read === undefined)
      throw new MdetrError(`${compiled}: there is no file system here; give the contents of the file`);
    return this.options.read(compiled);
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
      const { Tensor } = this.ort;
      return new WebSession(
        program,
        session,
        inputs,
        ({ dtype, data, shape }) => new Tensor(dtype, data as Float32Array, shape),
      );
    } catch (error) {
      throw new MdetrError(`cannot load program "${program.name}" on device "${this.device}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** ONNX Runtime Web rejects a second run of a session while one is in progress, so runs queue. */
class WebSession extends OrtSession {
  private last: Promise<unknown> = Promise.resolve();

  protected override settled(): Promise<unknown> {
    return this.last;
  }

  protected override runSession(
    session: Ort.InferenceSession,
    given: Record<string, Ort.Tensor>,
  ): Promise<Ort.InferenceSession.ReturnType> {
    const run = this.last.then(() => super.runSession(session, given));
    this.last = run.catch(() => undefined);
    return run;
  }
}
