import type * as Ort from 'onnxruntime-web';
import { MdetrError } from '../../../errors.ts';
import type { DType, HostTensor } from '../../graph/dtype.ts';
import type { Program, ProgramInput } from '../../graph/program.ts';
import { HostValue, hostOf } from '../host-value.ts';
import { checkFeeds, type DeviceTensor, type Session, type Values } from '../runtime.ts';

/** A session of one of ONNX Runtime's JavaScript bindings, Node's or the web's; they have the same interface. */
export class OrtSession implements Session {
  private session: Ort.InferenceSession | undefined;

  constructor(
    readonly program: Program,
    session: Ort.InferenceSession,
    private readonly inputs: readonly ProgramInput[],
    private readonly toOrt: (value: HostTensor) => Ort.Tensor,
  ) {
    this.session = session;
  }

  async run(feeds: Values): Promise<Record<string, HostTensor>> {
    const { session, toOrt } = this;
    if (session === undefined) throw new MdetrError(`program "${this.program.name}" was disposed`);
    checkFeeds(this.program, feeds, this.inputs);
    // Inputs that only carry shapes may have been optimized away; the session rejects them.
    const given = Object.fromEntries(session.inputNames.map((name) => [name, toOrt(hostOf(name, feeds[name]!))]));
    const results = await this.runSession(session, given);
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrt(value)]));
  }

  /** Both bindings copy every output to the host, so the values are host values. */
  async compute(feeds: Values): Promise<Record<string, DeviceTensor>> {
    const results = await this.run(feeds);
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, new HostValue(value)]));
  }

  async dispose(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    await this.settled();
    await session?.release();
  }

  /** Resolves when no run is in progress that `dispose` must wait for. */
  protected settled(): Promise<unknown> {
    return Promise.resolve();
  }

  protected runSession(
    session: Ort.InferenceSession,
    given: Record<string, Ort.Tensor>,
  ): Promise<Ort.InferenceSession.ReturnType> {
    return session.run(given);
  }
}

const fromOrt = (tensor: Ort.Tensor): HostTensor =>
  ({ dtype: tensor.type as DType, shape: tensor.dims, data: tensor.data }) as HostTensor;
