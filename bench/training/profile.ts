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
 * Summarizes profiles.
 *
 * @param files profile of each program, by its name
 */
export const summarizeProfile = (
  files: readonly (readonly [program: string, text: string])[],
  warmUp: number,
): ProfileSummary => {
  const programs: Record<string, number> = {};
  const kinds = new Map<string, { ms: number; nodes: Set<string> }>();
  const nodes = new Map<string, { ms: number; shapes: string }>();
  for (const [program, text] of files) {
    const events = JSON.parse(text) as ProfileEvent[];
    const runs = events.filter(({ cat, name }) => cat === 'Session' && name === 'model_run').slice(warmUp);
    if (runs.length === 0) continue;
    programs[program] = runs.reduce((sum, { dur }) => sum + dur, 0) / 1000 / runs.length;
    for (const { cat, name, ts, dur, args } of events) {
      if (cat !== 'Node' || !name.endsWith('_kernel_time') || ts < runs[0]!.ts) continue;
      const ms = dur / 1000 / runs.length;
      const kind = `${program} ${args?.op_name ?? '?'}`;
      const known = kinds.get(kind) ?? { ms: 0, nodes: new Set() };
      known.ms += ms;
      known.nodes.add(name);
      kinds.set(kind, known);
      const key = `${kind} ${name.replace(/_kernel_time$/, '')}`;
      const node = nodes.get(key) ?? {
        ms: 0,
        shapes: `${shapesOf(args?.input_type_shape)} → ${shapesOf(args?.output_type_shape)}`,
      };
      node.ms += ms;
      nodes.set(key, node);
    }
  }
  return {
    programs,
    kinds: Array.from(kinds, ([kind, { ms, nodes: names }]) => ({ kind, ms, nodes: names.size })).sort(
      (a, b) => b.ms - a.ms,
    ),
    nodes: Array.from(nodes, ([node, { ms, shapes }]) => ({ node, ms, shapes }))
      .sort((a, b) => b.ms - a.ms)
      .slice(0, 400),
  };
};
