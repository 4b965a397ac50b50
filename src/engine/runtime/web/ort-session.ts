import type * as Ort from 'onnxruntime-web';
import { MdetrError } from '../../../errors.ts';
import type { DType, HostTensor } from '../../graph/dtype.ts';
import type { Program, ProgramInput } from '../../graph/program.ts';
import { GpuValue } from './gpu-value.ts';
import { HostValue, hostOf } from '../host-value.ts';
import { FeedCheck } from '../feeds.ts';
import type { DeviceTensor, Session, Values } from '../runtime.ts';

/** A session of one of ONNX Runtime's JavaScript bindings, Node's or the web's; they have the same interface. */
export class OrtSession implements Session {
  private session: Ort.InferenceSession | undefined;
  private readonly feedCheck: FeedCheck;

  constructor(
    readonly program: Program,
    session: Ort.InferenceSession,
    inputs: readonly ProgramInput[],
    private readonly toOrt: (value: HostTensor) => Ort.Tensor,
  ) {
    this.session = session;
    this.feedCheck = new FeedCheck(program, inputs);
  }

  async run(feeds: Values): Promise<Record<string, HostTensor>> {
    const results = await this.execute(feeds);
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrt(value)]));
  }

  /** Outputs are copied to the host, but for those that were loaded to stay on the device. */
  async compute(feeds: Values): Promise<Record<string, DeviceTensor>> {
    const results = await this.execute(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, value]) => [
        name,
        value.location === 'gpu-buffer' ? new GpuValue(value) : new HostValue(fromOrt(value)),
      ]),
    );
  }

  private async execute(feeds: Values): Promise<Ort.InferenceSession.ReturnType> {
    const { session, toOrt } = this;
    if (session === undefined) throw new MdetrError(`program "${this.program.name}" was disposed`);
    this.feedCheck.sizesOf(feeds);
    const given = (name: string): Ort.Tensor => {
      const value = feeds[name]!;
      return value instanceof GpuValue ? value.onDevice : toOrt(hostOf(name, value));
    };
    // Inputs that only carry shapes may have been optimized away; the session rejects them.
    return this.runSession(session, Object.fromEntries(session.inputNames.map((name) => [name, given(name)])));
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
