import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as Ort from 'onnxruntime-node';
import { MdetrError } from '../../../errors.ts';
import type { Program, ProgramInput } from '../../graph/program.ts';
import { describePlacement, type PlacementOptions } from '../placement.ts';
import type { HostTensor } from '../../graph/dtype.ts';
import { OrtSession } from '../web/ort-session.ts';
import { placementOf } from './profiled-placement.ts';

/** Session whose first run is profiled, to learn which nodes ran on the CPU instead of the device. */
export class PlacedSession extends OrtSession {
  private folder: string | undefined;
  private failure: MdetrError | undefined;

  private constructor(
    program: Program,
    private readonly profiled: Ort.InferenceSession,
    inputs: readonly ProgramInput[],
    toOrt: (value: HostTensor) => Ort.Tensor,
    private readonly device: string,
    private readonly placement: PlacementOptions,
    folder: string,
  ) {
    super(program, profiled, inputs, toOrt);
    this.folder = folder;
  }

  /** @param create creates the session with the given options besides its own */
  static async create(
    program: Program,
    inputs: readonly ProgramInput[],
    toOrt: (value: HostTensor) => Ort.Tensor,
    device: string,
    placement: PlacementOptions,
    create: (more: Ort.InferenceSession.SessionOptions) => Promise<Ort.InferenceSession>,
  ): Promise<PlacedSession> {
    const folder = mkdtempSync(join(tmpdir(), 'mdetr-profile-'));
    try {
      const session = await create({ enableProfiling: true, profileFilePrefix: join(folder, 'run') });
      return new PlacedSession(program, session, inputs, toOrt, device, placement, folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  protected override async runSession(
    session: Ort.InferenceSession,
    given: Record<string, Ort.Tensor>,
  ): Promise<Ort.InferenceSession.ReturnType> {
    if (this.failure !== undefined) throw this.failure;
    const results = await super.runSession(session, given);
    const profile = this.endProfiling();
    if (profile === undefined) return results;
    const placement = placementOf(profile, this.program.name, this.device);
    this.placement.onPlacement?.(placement);
    if (this.placement.strictDevice === true && placement.fallbacks.length > 0) {
      this.failure = new MdetrError(
        `${describePlacement(placement)}; leave out --strict-device (strictDevice) to allow that`,
      );
      throw this.failure;
    }
    return results;
  }

  override async dispose(): Promise<void> {
    this.endProfiling();
    await super.dispose();
  }

  /** Ends the profile; returns its text, or undefined if it was ended before. */
  private endProfiling(): string | undefined {
    const { folder } = this;
    if (folder === undefined) return undefined;
    this.folder = undefined;
    try {
      this.profiled.endProfiling();
      const [file] = readdirSync(folder);
      return file === undefined ? '' : readFileSync(join(folder, file), 'utf8');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
