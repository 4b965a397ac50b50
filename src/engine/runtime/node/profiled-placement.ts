import { MdetrError } from '../../../errors.ts';
import type { FallbackNodes, Placement } from '../placement.ts';

/** Event of ONNX Runtime's profile, as far as it is read. */
interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  readonly args?: {
    readonly provider?: string;
    readonly op_name?: string;
    /** An object for each input, from its element type to its shape. */
    readonly input_type_shape?: readonly Readonly<Record<string, unknown>>[];
  };
}

const CPU_PROVIDER = 'CPUExecutionProvider';
const KERNEL_TIME = '_kernel_time';
/** Operators that only look at the shape of their input. */
const SHAPE_OPS: ReadonlySet<string> = new Set(['Shape', 'Size']);

/**
 * Reads which nodes of a program ran on the CPU from ONNX Runtime's profile of a run.
 *
 * @param text contents of the profile, a JSON array of events
 * @throws {MdetrError} if it is not such a profile
 */
export const placementOf = (text: string, program: string, device: string): Placement => {
  const kernels = eventsOf(text).filter(
    ({ cat, name, args }) => cat === 'Node' && name?.endsWith(KERNEL_TIME) === true && args?.provider !== undefined,
  );
  const counts = new Map<string, number>();
  for (const { args } of kernels) {
    const { provider, op_name: op = '?', input_type_shape: inputs = [] } = args!;
    const types = inputs.flatMap((input) => Object.keys(input));
    const isShapeArithmetic = SHAPE_OPS.has(op) || (types.length > 0 && types.every((type) => type === 'int64'));
    if (provider !== CPU_PROVIDER || isShapeArithmetic) continue;
    const named = `${op}(${[...new Set(types)].join(', ')})`;
    counts.set(named, (counts.get(named) ?? 0) + 1);
  }
  const fallbacks: FallbackNodes[] = Array.from(counts, ([op, count]) => ({ op, count }));
  fallbacks.sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
  return { program, device, nodes: kernels.length, fallbacks };
};

const eventsOf = (text: string): readonly ProfileEvent[] => {
  try {
    const events: unknown = JSON.parse(text);
    if (Array.isArray(events)) return events as readonly ProfileEvent[];
  } catch {
    // Reported below, like a file that is JSON of another kind.
  }
  throw new MdetrError('ONNX Runtime wrote no profile of the run, so it is unknown which nodes ran on the CPU');
};
