/** Summary of ONNX Runtime's profiles of several sessions, per step and without warm-up. */
export interface ProfileSummary {
  /** Milliseconds per step of each program. */
  readonly programs: Readonly<Record<string, number>>;
  /** Milliseconds per step by program and kernel, most expensive first. */
  readonly kinds: readonly { readonly kind: string; readonly ms: number; readonly nodes: number }[];
  /** The most expensive nodes. */
  readonly nodes: readonly { readonly node: string; readonly ms: number; readonly shapes: string }[];
}

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  /** In microseconds. */
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
    readonly output_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

const shapesOf = (list: readonly Readonly<Record<string, readonly number[]>>[] = []): string =>
  list.map((entry) => Object.values(entry)[0]!.join('×')).join(' ');

/**
 * Summarizes profiles. Each node counts with the fastest of its runs: a mean would also count the time of other processes.
 *
 * @param files profile of each program, by its name
 */
export const summarizeProfile = (
  files: readonly (readonly [program: string, text: string])[],
  warmUp: number,
): ProfileSummary => {
  const programs: Record<string, number> = {};
  const nodes = new Map<string, { kind: string; ms: number; shapes: string }>();
  for (const [program, text] of files) {
    const events = JSON.parse(text) as ProfileEvent[];
    const runs = events.filter(({ cat, name }) => cat === 'Session' && name === 'model_run').slice(warmUp);
    if (runs.length === 0) continue;
    programs[program] = runs.reduce((sum, { dur }) => sum + dur, 0) / 1000 / runs.length;
    for (const { cat, name, ts, dur, args } of events) {
      if (cat !== 'Node' || !name.endsWith('_kernel_time') || ts < runs[0]!.ts) continue;
      const kind = `${program} ${args?.op_name ?? '?'}`;
      const key = `${kind} ${name.replace(/_kernel_time$/, '')}`;
      const shapes = `${shapesOf(args?.input_type_shape)} → ${shapesOf(args?.output_type_shape)}`;
      const known = nodes.get(key);
      if (known === undefined) nodes.set(key, { kind, ms: dur / 1000, shapes });
      else if (dur / 1000 < known.ms) Object.assign(known, { ms: dur / 1000, shapes });
    }
  }
  const kinds = new Map<string, { ms: number; nodes: number }>();
  for (const { kind, ms } of nodes.values()) {
    const known = kinds.get(kind) ?? { ms: 0, nodes: 0 };
    kinds.set(kind, { ms: known.ms + ms, nodes: known.nodes + 1 });
  }
  return {
    programs,
    kinds: Array.from(kinds, ([kind, total]) => ({ kind, ...total })).sort((a, b) => b.ms - a.ms),
    nodes: Array.from(nodes, ([node, { ms, shapes }]) => ({ node, ms, shapes }))
      .sort((a, b) => b.ms - a.ms)
      .slice(0, 400),
  };
};
