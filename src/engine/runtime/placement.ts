/** Nodes of one operator that ran on the CPU although another device was asked for. */
export interface FallbackNodes {
  /** ONNX operator and element types of its inputs: `Concat(bool, bool)`. */
  readonly op: string;
  /** Number of such nodes. */
  readonly count: number;
}

/** Placement of a program's nodes, as observed in its first run. */
export interface Placement {
  /** Name of the program. */
  readonly program: string;
  /** The device that was asked for. */
  readonly device: string;
  /** Number of nodes that ran. */
  readonly nodes: number;
  /**
   * Nodes that ran on the CPU, the most frequent first. Without arithmetic on shapes (int64), which ONNX Runtime
   * always leaves to the CPU.
   */
  readonly fallbacks: readonly FallbackNodes[];
}

/** Handling of the placement of nodes on a device other than the CPU. */
export interface PlacementOptions {
  /** Rejects the first run of a program of which a node ran on the CPU. */
  readonly strictDevice?: boolean | undefined;
  /** Receives the placement of every program after its first run. */
  readonly onPlacement?: ((placement: Placement) => void) | undefined;
}

/** Describes a placement in one line: `train-forward: 3 of 120 nodes ran on the CPU: LogSoftmax(float) ×2, Sign(float) ×1`. */
export const describePlacement = ({ program, device, nodes, fallbacks }: Placement): string => {
  if (fallbacks.length === 0) return `${program}: all ${nodes} nodes ran on device "${device}"`;
  const total = fallbacks.reduce((sum, { count }) => sum + count, 0);
  const named = fallbacks.map(({ op, count }) => `${op} ×${count}`).join(', ');
  return `${program}: ${total} of ${nodes} nodes ran on the CPU instead of device "${device}": ${named}`;
};
